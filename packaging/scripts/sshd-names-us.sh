# The files whose active lines lead sshd to keyroster: the key command, the break-glass keys, the list of revoked keys. Comments count
# for nothing, and neither do files that sshd does not read.
sshd_files_that_name_us() {
    included=$(cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf 2>/dev/null |
        awk 'tolower($1) == "include" { for (i = 2; i <= NF; i++) print ($i ~ /^\//) ? $i : "/etc/ssh/" $i }')
    # Patterns of Include are to be expanded here.
    # shellcheck disable=SC2086
    for file in /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf $included /etc/default/ssh /etc/sysconfig/sshd \
        /etc/systemd/system/ssh.service.d/*.conf /etc/systemd/system/sshd.service.d/*.conf; do
        if [ -f "$file" ] && grep -Eq '^[[:space:]]*[^#[:space:]].*/keyroster' "$file"; then
            echo "$file"
        fi
    done | sort -u
}
