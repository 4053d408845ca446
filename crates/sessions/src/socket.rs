//! The Unix socket that the host agent speaks on.
//!
//! The kernel says who speaks; nobody else's word counts. The socket is open to all in a directory that only root can change: who
//! may speak is a user and not a file mode, so that somebody else who tries is logged. See [`keyroster_wire::Notice`] for what is said.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyroster_wire::Notice;
use rustix::net::sockopt::socket_peercred;
use thiserror::Error as ThisError;

use crate::error::Error;
use crate::helper::Helper;
use crate::log::Severity;
use crate::revoked::{Hearing, Unexpected};

/// A socket that is listened on.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    agent_uid: u32,
    open: Arc<AtomicUsize>,
}

/// Whether a peer may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
enum Admission {
    Admit,
    Refuse,
}

/// Why a connection ended before its other end closed it.
#[derive(Debug, ThisError)]
enum Broken {
    #[error("{0}")]
    Frame(#[from] keyroster_wire::ReadError),
    #[error("{0}")]
    Unexpected(#[from] Unexpected),
}

impl Socket {
    /// Listens on `path` for the user of this number. The caller holds the daemon's lock, so what lies there is nobody's: it is
    /// replaced by renaming, so that the socket appears with its mode and without a gap.
    pub(crate) fn bind(path: &Path, agent_uid: u32) -> Result<Self, Error> {
        let failed = |err| Error::io(path, err);
        match std::fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(failed(io::ErrorKind::AlreadyExists.into()));
            }
            Ok(_) => {}
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Err(err) => return Err(failed(err)),
        }
        Ok(Self {
            listener: bind_and_rename(path).map_err(failed)?,
            agent_uid,
            open: Arc::default(),
        })
    }

    /// Hears whoever may speak, for ever.
    pub(crate) fn serve(&self, helper: &Arc<Helper>) {
        for stream in self.listener.incoming() {
            let stream = match stream {
                Ok(stream) => stream,
                Err(err) => {
                    helper.log().say(
                        Severity::Error,
                        format_args!("a connection can't be accepted: {err}"),
                    );
                    continue;
                }
            };
            self.admit(stream, helper);
        }
    }

    fn admit(&self, stream: UnixStream, helper: &Arc<Helper>) {
        let uid = socket_peercred(&stream).map(|peer| peer.uid.as_raw());
        let admission = uid.map_or(Admission::Refuse, |uid| admit(uid, self.agent_uid));
        if admission == Admission::Refuse {
            let uid = uid.map_or_else(|_| "unknown".to_owned(), |uid| uid.to_string());
            return helper.log().say(
                Severity::Warning,
                format_args!("uid={uid} may not speak on the socket and was refused"),
            );
        }
        let place = Place::take(&self.open);
        if self.open.load(Ordering::Relaxed) > CONNECTIONS_MAX {
            return helper.log().say(
                Severity::Warning,
                format_args!("more than {CONNECTIONS_MAX} connections; one was refused"),
            );
        }
        let own = Arc::clone(helper);
        let conversing = std::thread::Builder::new().spawn(move || {
            let _place = place;
            if let Err(err) = converse(stream, &own) {
                own.log().say(
                    Severity::Error,
                    format_args!("the host agent was not understood: {err}"),
                );
            }
        });
        if let Err(err) = conversing {
            helper.log().say(
                Severity::Error,
                format_args!("the host agent can't be heard, and will try again: {err}"),
            );
        }
    }
}

fn converse(mut stream: UnixStream, helper: &Arc<Helper>) -> Result<(), Broken> {
    let mut hearing = Hearing::default();
    while let Some(notice) = Notice::read_from(&mut stream)? {
        helper.hear(hearing.take(notice)?);
    }
    Ok(())
}

fn admit(uid: u32, agent_uid: u32) -> Admission {
    if [ROOT, agent_uid].contains(&uid) {
        Admission::Admit
    } else {
        Admission::Refuse
    }
}

/// One of the connections that are open.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn bind_and_rename(path: &Path) -> io::Result<UnixListener> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let _left_by_a_crash = std::fs::remove_file(&temporary);
    let listener = UnixListener::bind(&temporary)?;
    std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    std::fs::rename(&temporary, path)?;
    Ok(listener)
}

/// Connections at one time. The host agent has one; while it is restarted, two.
const CONNECTIONS_MAX: usize = 8;
const SOCKET_MODE: u32 = 0o666;
const ROOT: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_agent_and_root_may_speak_and_nobody_else() {
        assert_eq!(admit(990, 990), Admission::Admit);
        assert_eq!(admit(0, 990), Admission::Admit);
        for uid in [1, 989, 1000, u32::MAX] {
            assert_eq!(admit(uid, 990), Admission::Refuse, "{uid}");
        }
    }
}
