# A unit that runs from the first installation on. What an admin enabled, disabled or masked since then stays so.
keep_enabled() {
    deb-systemd-helper unmask "$1" >/dev/null || true
    if deb-systemd-helper --quiet was-enabled "$1"; then
        deb-systemd-helper enable "$1" >/dev/null || true
    else
        deb-systemd-helper update-state "$1" >/dev/null || true
    fi
}

# $1: the version that was configured before, if there was one. An upgrade restarts what runs, and starts nothing that an admin stopped.
start_units() {
    [ -d /run/systemd/system ] || return 0
    before=$1
    shift
    systemctl --system daemon-reload >/dev/null || true
    if [ -n "$before" ]; then
        deb-systemd-invoke try-restart "$@" >/dev/null || true
    else
        deb-systemd-invoke start "$@" >/dev/null || true
    fi
}
