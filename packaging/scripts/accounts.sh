# Accounts and directories, as sysusers.d and tmpfiles.d say. An account that is there stays as it is; a directory that is there keeps what
# is in it, and gets its owner and mode back, here and at every boot.
make_accounts_and_directories() {
    systemd-sysusers "$1"
    # In a chroot some lines can't be followed, and are again at the next boot.
    systemd-tmpfiles --create "$1" || echo "$1: warning: systemd-tmpfiles ended with $?" >&2
}
