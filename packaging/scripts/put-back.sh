# What `keyroster-agent disable` does, for when no program of ours is left: dpkg takes away a package that was unpacked and never
# configured without asking its prerm. What was there before lies beside the record of it, if there was anything.
put_back_without_us() {
    drop_in=/etc/ssh/sshd_config.d/10-keyroster.conf
    state=/var/lib/keyroster
    grep -Eq '^[[:space:]]*[^#[:space:]].*/keyroster' "$drop_in" 2>/dev/null || return 0
    mkdir -p "$state"
    # A full disk must not keep it where it is.
    mv "$drop_in" "$state/left-10-keyroster.conf" 2>/dev/null || rm -f "$drop_in"
    if [ -f "$state/original-10-keyroster.conf" ]; then
        cp -p "$state/original-10-keyroster.conf" "$drop_in"
    fi
    rm -f "$state/enabled" "$state/pending" "$state/original-10-keyroster.conf"
    echo "keyroster-host: $drop_in is as it was before keyroster; what it was is in $state/left-10-keyroster.conf" >&2
    if [ -d /run/systemd/system ] && sshd_takes_it; then
        reload_sshd
    fi
}

# sshd demands a directory at run time, which is there only while it runs, and looks for it last.
sshd_takes_it() {
    said=$(sshd -t 2>&1) && return 0
    case "$said" in
    *"Missing privilege separation directory: /run/sshd"*) return 0 ;;
    esac
    echo "keyroster-host: sshd refuses its configuration, and so is not told: $said" >&2
    return 1
}
