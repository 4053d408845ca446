# For postinst, which dpkg tells the version that was configured before also when that one was removed since: its units were stopped then,
# and are to be started.
is_installed_anew() {
    : >"/run/$1.installed-anew"
}
