# Also without a systemd that runs, so that a root that is started later knows nothing of them.
stop_units() {
    command -v systemctl >/dev/null || return 0
    systemctl --no-reload disable "$@" >/dev/null 2>&1 || true
    if [ -d /run/systemd/system ]; then
        systemctl stop "$@" >/dev/null 2>&1 || true
    fi
}
