# Accounts and directories, as sysusers.d and tmpfiles.d say. Both leave alone what is there already.
make_accounts_and_directories() {
    systemd-sysusers "$1"
    # In a chroot some lines can't be followed, and are again at the next boot.
    systemd-tmpfiles --create "$1" || echo "$1: warning: systemd-tmpfiles ended with $?" >&2
}
