# Lines of PAM's that need a program of ours to succeed, as FILE:LINE: without it they refuse every session.
pam_lines_that_need_us() {
    for file in /etc/pam.d/*; do
        if [ -f "$file" ]; then
            awk '/^[ \t]*[^# \t].*\/usr\/lib\/keyroster\// && !/^[ \t]*-?[a-z]+[ \t]+optional[ \t]/ { print FILENAME ":" FNR }' "$file"
        fi
    done
}

# Succeeds, and says why, where these lines keep the package here.
lines_keep_us() {
    [ -n "$1" ] || return 1
    echo "keyroster-host: not removed, since logins still depend on it: $(echo "$1" | tr '\n' ' ')" >&2
    echo "hint: take these lines out, then \`sshd -t && systemctl reload ssh\`, and remove the package again" >&2
}

# An sshd that still asks a key command which is gone lets nobody in. So keyroster is taken out of its configuration first; where that
# cannot be done, everything stays as it is.
leave_sshd() {
    agent=/usr/lib/keyroster/keyroster-agent
    drop_in=/etc/ssh/sshd_config.d/10-keyroster.conf
    # What `disable` could not take away is looked for before it takes anything.
    others=$(
        sshd_lines_that_name_us | grep -v "^$drop_in:" || true
        pam_lines_that_need_us
    )
    if lines_keep_us "$others"; then
        return 1
    fi
    # It finds what only sshd itself knows, and leaves everything as it was when it can't do all of it.
    if [ -x "$agent" ] && ! "$agent" disable >&2; then
        echo "keyroster-host: not removed, since sshd could not be told to leave keyroster" >&2
        echo "hint: do what is said above, \`keyroster-agent disable\`, and remove the package again" >&2
        return 1
    fi
    if lines_keep_us "$(sshd_lines_that_name_us)"; then
        return 1
    fi
}
