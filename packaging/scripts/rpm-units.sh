# $1: how many versions of the package there will be. The distribution's presets say whether a unit is enabled at first.
preset_units() {
    [ "$1" -eq 1 ] || return 0
    shift
    if command -v systemctl >/dev/null; then
        systemctl --no-reload preset "$@" >/dev/null 2>&1 || true
    fi
}
