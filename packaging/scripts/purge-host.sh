# What only a purge takes away: the credential, what was remembered, the settings. Break-glass keys are the admin's.
purge_host() {
    still=$(sshd_files_that_name_us)
    if [ -n "$still" ]; then
        echo "keyroster-host: /var/lib/keyroster-agent and /etc/keyroster are kept, since sshd reads from there: $(echo "$still" | tr '\n' ' ')" >&2
        return 0
    fi
    rm -rf /var/lib/keyroster-agent /var/lib/keyroster /var/spool/keyroster /run/keyroster /run/keyroster-sessions
    rmdir /etc/keyroster/break-glass 2>/dev/null || true
    rmdir /etc/keyroster 2>/dev/null || true
    if [ -d /etc/keyroster/break-glass ]; then
        echo "keyroster-host: /etc/keyroster/break-glass is kept: the keys in there are yours" >&2
    fi
}
