# Lines of PAM's that need a program of ours to succeed: without it they refuse every session.
pam_files_that_need_us() {
    for file in /etc/pam.d/*; do
        if [ -f "$file" ] && grep -E '^[[:space:]]*[^#[:space:]].*/usr/lib/keyroster/' "$file" |
            grep -Evq '^[[:space:]]*-?[a-z]+[[:space:]]+optional[[:space:]]'; then
            echo "$file"
        fi
    done
}

# An sshd that still asks a key command which is gone lets nobody in. So keyroster is taken out of its configuration first; where that
# cannot be done, everything stays as it is.
leave_sshd() {
    agent=/usr/lib/keyroster/keyroster-agent
    # The sshd that runs would go on with what it read before, and could not be told otherwise.
    if [ -n "$(sshd_files_that_name_us)" ] && command -v sshd >/dev/null && ! sshd -t >/dev/null 2>&1; then
        echo "keyroster-host: not removed, since sshd refuses its configuration and so can't be told to leave keyroster" >&2
        echo "hint: \`sshd -t\` says why; mend that, and remove the package again" >&2
        return 1
    fi
    if [ -x "$agent" ] && { [ -n "$(sshd_files_that_name_us)" ] || [ -d /var/lib/keyroster ]; }; then
        "$agent" disable >&2 || true
    fi
    still=$(sshd_files_that_name_us && pam_files_that_need_us)
    if [ -n "$still" ]; then
        echo "keyroster-host: not removed, since logins still depend on it: $(echo "$still" | tr '\n' ' ')" >&2
        echo "hint: take its lines out of there, then \`sshd -t && systemctl reload ssh\`, and remove the package again" >&2
        return 1
    fi
    # Files may have been mended by hand without telling the sshd that runs.
    if [ -d /run/systemd/system ] && sshd -t 2>/dev/null; then
        reload_sshd
    fi
}
