# After the files are gone, systemd is to forget the units; after a purge also what an admin decided about them.
forget_units() {
    action=$1
    shift
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload >/dev/null || true
    fi
    if [ "$action" = purge ] && command -v deb-systemd-helper >/dev/null; then
        deb-systemd-helper purge "$@" >/dev/null || true
        deb-systemd-helper unmask "$@" >/dev/null || true
    fi
}
