//! The socket outlives the process: systemd keeps it over a restart.
//!
//! An upgrade restarts the host agent, and a login in that moment would find nobody and be refused. So the socket that is
//! listened on is handed to systemd (`FDSTORE=1`, sd_notify(3)), and the next process gets it back as systemd hands sockets
//! over (sd_listen_fds(3)). Who connects in between waits in its queue, for as long as lookup waits at all. A socket *unit* would do the
//! same, but then root would be the one who listens, and lookup could no longer tell the host agent from others by its user.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use sd_notify::NotifyState;

/// Who removes the socket's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// We, at the end.
    Ours,
    /// systemd, together with its directory, once no restart is under way.
    Systemds,
}

/// The socket that an earlier process listened on under this name, if systemd has kept it.
///
/// # Errors
/// When what systemd hands over is no socket that is listened on.
pub fn take(path: &Path) -> io::Result<Option<UnixListener>> {
    let Some(listener) = ListenFd::from_env().take_unix_listener(0)? else {
        return Ok(None);
    };
    let address = listener.local_addr()?;
    let bound = address
        .as_pathname()
        .is_some_and(|bound| is_for(path, bound));
    if bound && is_socket_of_ours(path) {
        return Ok(Some(listener));
    }
    // The settings name another one since then; there is room for one.
    let _ = sd_notify::notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(FD_NAME)]);
    Ok(None)
}

/// Lets go of the socket that an earlier process listened on, whatever its name was: nobody is going to listen on it, and who connects
/// would wait for nothing. For a host agent that can't start, over and over perhaps.
pub fn let_go() {
    if let Ok(Some(listener)) = ListenFd::from_env().take_unix_listener(0)
        && let Ok(address) = listener.local_addr()
        && let Some(name) = address.as_pathname().and_then(name_of)
        && is_socket_of_ours(&name)
    {
        let _ = std::fs::remove_file(name);
    }
    // Also where it was taken already: there is room for one.
    let _ = sd_notify::notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(FD_NAME)]);
}

/// Hands the socket to systemd, where there is one that asked to be told about us.
pub fn hand_over(listener: &UnixListener) -> Name {
    if std::env::var_os(NOTIFY_SOCKET).is_none() {
        return Name::Ours;
    }
    let state = [NotifyState::FdStore, NotifyState::FdName(FD_NAME)];
    match sd_notify::notify_with_fds(&state, &[listener.as_fd()]) {
        Ok(()) => Name::Systemds,
        Err(err) => {
            tracing::warn!(error = %err, "systemd does not keep the socket over a restart");
            Name::Ours
        }
    }
}

fn is_socket_of_ours(path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    std::fs::symlink_metadata(path)
        .is_ok_and(|there| there.file_type().is_socket() && there.uid() == own)
}

fn is_for(path: &Path, bound: &Path) -> bool {
    name_of(bound).is_some_and(|name| name == path)
}

/// Sockets are bound beside their place, with the process's id behind a dot, and renamed.
fn name_of(bound: &Path) -> Option<PathBuf> {
    let id = bound.extension()?.as_encoded_bytes();
    let name = bound.with_extension("");
    (!id.is_empty() && id.iter().all(u8::is_ascii_digit)).then_some(name)
}

const FD_NAME: &str = "lookups";
/// Where systemd is told: sd_notify(3).
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_socket_is_used_only_for_the_name_that_it_was_made_for() {
        let path = Path::new("/run/keyroster/agent.sock");
        assert!(is_for(path, Path::new("/run/keyroster/agent.sock.4711")));
        for other in [
            "/run/keyroster/agent.sock",
            "/run/other/agent.sock.1",
            "/run/keyroster/agent.sock.",
        ] {
            assert!(!is_for(path, Path::new(other)), "{other}");
        }
        assert!(!is_for(path, Path::new("/run/keyroster/agent.sock.1x")));
    }
}
