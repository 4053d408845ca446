# What `Include` in these files names, one a line, as sshd reads it: the keyword knows no case, `=` may stand behind it, names may be quoted,
# and those that are not absolute are below /etc/ssh.
included_by() {
    awk '{
        sub(/\r$/, "")
        sub(/^[ \t]+/, "")
        if (tolower($0) !~ /^include[ \t="]/) next
        rest = substr($0, length("include") + 1)
        sub(/^[ \t]*=?[ \t]*/, "", rest)
        while (rest != "" && rest !~ /^#/) {
            if (rest ~ /^"/) {
                rest = substr(rest, 2)
                end = index(rest, "\"")
                if (end == 0) next
                name = substr(rest, 1, end - 1)
                rest = substr(rest, end + 1)
            } else {
                match(rest, /^[^ \t]+/)
                name = substr(rest, 1, RLENGTH)
                rest = substr(rest, RLENGTH + 1)
            }
            sub(/^[ \t]+/, "", rest)
            print (name ~ /^\//) ? name : "/etc/ssh/" name
        }
    }' "$@"
}

# Every file of sshd's configuration, whatever includes it. Blanks in a name are not its end, and patterns are to be expanded here.
# shellcheck disable=SC2086,SC2046
files_that_sshd_reads() (
    IFS='
'
    patterns='/etc/ssh/sshd_config
/etc/ssh/sshd_config.d/*.conf'
    files=none
    before=
    while [ "$files" != "$before" ]; do
        before=$files
        files=$(for file in $patterns; do if [ -f "$file" ]; then echo "$file"; fi; done | sort -u)
        [ -z "$files" ] || patterns=$(printf '%s\n' $patterns "$(included_by $files)" | sort -u)
    done
    echo "$files"
)

# The lines that lead sshd to keyroster, as FILE:LINE: the key command, the break-glass keys, the list of revoked keys. Comments count for
# nothing, and neither do files that sshd does not read. Its command line may stand in a unit, or in a file of settings of one.
sshd_lines_that_name_us() {
    {
        files_that_sshd_reads
        for dir in /etc /run /usr/local/lib /usr/lib /lib; do
            for unit in ssh sshd ssh@ sshd@; do
                for file in "$dir/systemd/system/$unit.service" "$dir/systemd/system/$unit.service.d"/*.conf; do
                    echo "$file"
                done
            done
        done
        echo /etc/default/ssh
        echo /etc/sysconfig/sshd
    } | while read -r file; do
        if [ -f "$file" ]; then
            awk '/^[ \t]*[^# \t].*\/keyroster/ { print FILENAME ":" FNR }' "$file"
        fi
    done | sort -u
}
