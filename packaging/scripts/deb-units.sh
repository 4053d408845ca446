# A unit that runs from the first installation on. What an admin enabled, disabled or masked since then stays so.
keep_enabled() {
    deb-systemd-helper unmask "$1" >/dev/null || true
    if deb-systemd-helper --quiet was-enabled "$1"; then
        deb-systemd-helper enable "$1" >/dev/null || true
    else
        deb-systemd-helper update-state "$1" >/dev/null || true
    fi
}

# $1: the package, $2: the version that was configured before, if there was one. An upgrade restarts what runs, and starts nothing that an
# admin stopped.
start_units() {
    anew=/run/$1.installed-anew
    before=$2
    shift 2
    if [ -e "$anew" ]; then
        rm -f "$anew"
        before=
    fi
    [ -d /run/systemd/system ] || return 0
    systemctl --system daemon-reload >/dev/null || true
    if [ -n "$before" ]; then
        deb-systemd-invoke try-restart "$@" >/dev/null || true
    else
        # It passes over what is disabled.
        deb-systemd-invoke start "$@" >/dev/null || true
    fi
}
