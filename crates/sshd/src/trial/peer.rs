//! Who is at the other end of a connection on loopback.
//!
//! Everybody on the host can connect to the trial's port, and what a stranger sends ends up in the log that the trial is judged by. So
//! the kernel is asked whose socket it is: it must be one that our own client holds open, and nobody else can have that.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Who connected.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// The process in question.
    Ours,
    /// Somebody else, or somebody who has gone.
    Stranger,
}

/// Whether this process holds the socket of a connection from `peer` to `own`.
///
/// # Errors
/// When the kernel's tables can't be read.
pub(super) fn of(process: u32, peer: SocketAddr, own: SocketAddr) -> io::Result<Peer> {
    let (SocketAddr::V4(peer), SocketAddr::V4(own)) = (peer, own) else {
        return Ok(Peer::Stranger);
    };
    let table = fs::read_to_string(TABLE)?;
    let Some(inode) = table.lines().find_map(|line| inode_of(line, peer, own)) else {
        return Ok(Peer::Stranger);
    };
    let descriptors = PathBuf::from(format!("/proc/{process}/fd"));
    Ok(match holds(&descriptors, inode)? {
        true => Peer::Ours,
        false => Peer::Stranger,
    })
}

/// The socket's inode in a line of proc_net_tcp(5), if the line is that of an open connection from `local` to `remote`. One that its process has
/// left has none any more.
fn inode_of(line: &str, local: SocketAddrV4, remote: SocketAddrV4) -> Option<u64> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, here, there, state, _, _, _, _, _, inode, ..] = fields.as_slice() else {
        return None;
    };
    let is_it = *here == end(local) && *there == end(remote) && *state == ESTABLISHED;
    inode.parse().ok().filter(|inode| is_it && *inode != 0)
}

/// An end of a connection as the table has it: the address as a number in the machine's own order of bytes.
fn end(address: SocketAddrV4) -> String {
    let number = u32::from_ne_bytes(Ipv4Addr::octets(address.ip()));
    format!("{number:08X}:{:04X}", address.port())
}

/// Sockets are files of a filesystem of their own: a descriptor's link leads to the one with this inode.
pub(super) fn holds(descriptors: &Path, inode: u64) -> io::Result<bool> {
    for entry in fs::read_dir(descriptors)? {
        let path = entry?.path();
        let is_socket =
            fs::read_link(&path).is_ok_and(|to| to.to_string_lossy().starts_with("socket:["));
        if is_socket && fs::metadata(&path).is_ok_and(|metadata| metadata.ino() == inode) {
            return Ok(true);
        }
    }
    Ok(false)
}

const TABLE: &str = "/proc/net/tcp";
/// `TCP_ESTABLISHED`.
const ESTABLISHED: &str = "01";

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn judge(process: u32, served: &TcpStream) -> Peer {
        of(
            process,
            served.peer_addr().unwrap(),
            served.local_addr().unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn whoever_holds_the_socket_is_told_from_everybody_else() {
        let (client, served) = connected();
        assert_eq!(judge(std::process::id(), &served), Peer::Ours);
        assert_eq!(judge(1, &served), Peer::Stranger);
        drop(client);
        assert_eq!(judge(std::process::id(), &served), Peer::Stranger, "gone");
    }

    #[test]
    fn only_an_open_connection_with_both_ends_counts() {
        let [local, remote] = [1, 2].map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        let (here, there) = (end(local), end(remote));
        let line = |here: &str, there: &str, state: &str, inode: &str| {
            format!(
                "  7: {here} {there} {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 20 4 30 10 -1"
            )
        };
        let of = |line: String| inode_of(&line, local, remote);
        assert_eq!(of(line(&here, &there, "01", "4711")), Some(4711));
        assert_eq!(of(line(&there, &here, "01", "4711")), None);
        assert_eq!(of(line(&here, &there, "06", "4711")), None);
        assert_eq!(of(line(&here, &there, "01", "0")), None);
        assert_eq!(of("  sl  local_address rem_address   st".to_owned()), None);
    }
}
