# The data directory holds the roster and the CA that every host trusts: no package manager removes that by itself.
purge_server() {
    data=/var/lib/keyroster-server
    if [ -d "$data" ] && ! rmdir "$data" 2>/dev/null; then
        echo "keyroster-server: $data is kept: it holds the roster and the CA's key" >&2
        echo "hint: when no host needs them any more: rm -r $data" >&2
    fi
}
