# What only a purge takes away: the credential, what was remembered, the settings. Break-glass keys are the admin's, and so is a drop-in
# that was edited and that `disable` has kept.
purge_host() {
    still=$(sshd_lines_that_name_us)
    if [ -n "$still" ]; then
        echo "keyroster-host: /var/lib/keyroster-agent and /etc/keyroster are kept, since sshd reads from there: $(echo "$still" | tr '\n' ' ')" >&2
        return 0
    fi
    rm -rf /var/lib/keyroster-agent /var/spool/keyroster /run/keyroster /run/keyroster-sessions
    for name in enabled pending outcome lock watch original-10-keyroster.conf break-glass-drills; do
        # Also one that was being written when its writer was killed.
        rm -f "/var/lib/keyroster/$name" "/var/lib/keyroster/.$name."*
    done
    for directory in /var/lib/keyroster /etc/keyroster/break-glass; do
        if [ -d "$directory" ] && ! rmdir "$directory" 2>/dev/null; then
            echo "keyroster-host: $directory is kept: what is in there is yours" >&2
        fi
    done
    rmdir /etc/keyroster 2>/dev/null || true
}
