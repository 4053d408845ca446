//! The Unix socket that lookup asks.
//!
//! One request and one response per connection. The kernel says who asks; nobody else's word counts. The socket itself is open to
//! all (0666) in a directory that only the host agent can change: who may ask is a list of users and not a file mode, so
//! that a refused peer gets an answer that says so, and is logged. Connections are few and short, and every one has a
//! deadline; those of whoever may not ask have places of their own, so that strangers with a shell can't keep lookup out by
//! opening sockets.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyroster_wire::{FrameKind, REQUEST_MAX, Reason, Request, frame_len};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::peers::{Admission, Peers};
use crate::reply;
use crate::shared::Shared;
use crate::status;

mod kept;

pub use kept::let_go;

/// A socket that is listened on; its name is removed when it is dropped, unless systemd keeps it.
#[derive(Debug)]
pub struct Socket {
    listener: std::os::unix::net::UnixListener,
    path: PathBuf,
    name: kept::Name,
    room: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

/// Why the socket can't be listened on.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The system said no.
    #[error("can't listen on \"{path}\": {err}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        err: io::Error,
    },
    /// Others could put their socket in its place.
    #[error("\"{0}\" can be written by others, or belongs to another user")]
    Directory(PathBuf),
    /// There is something else than a socket.
    #[error("\"{0}\" is there and is not a socket")]
    InTheWay(PathBuf),
}

/// What a connection needs.
#[derive(Debug, Clone)]
pub struct Answering {
    /// Knowledge and clock.
    pub shared: Arc<Shared>,
    /// Who may ask.
    pub peers: Arc<Peers>,
    /// What `status` is told besides.
    pub identity: Arc<status::Identity>,
}

impl Socket {
    /// Listens on `path`: goes on with a socket that systemd has kept, or makes one. A socket that an earlier process left is
    /// replaced: bound beside it and renamed over it, so that it appears with its mode and without a gap. The caller holds the
    /// daemon's lock, so nobody listens on it.
    ///
    /// # Errors
    /// When its directory is not ours alone, or something else stands there.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let failed = |err| SocketError::Io {
            path: path.to_owned(),
            err,
        };
        let parent = path
            .parent()
            .ok_or_else(|| SocketError::Directory(path.to_owned()))?;
        let directory = std::fs::metadata(parent).map_err(failed)?;
        let own = rustix::process::geteuid().as_raw();
        let ours = [own, 0].contains(&directory.uid());
        if !ours || directory.mode() & WRITABLE_BY_OTHERS != 0 {
            return Err(SocketError::Directory(parent.to_owned()));
        }
        match std::fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(SocketError::InTheWay(path.to_owned()));
            }
            Ok(_) => {}
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Err(err) => return Err(failed(err)),
        }
        let (listener, name) = match kept::take(path).map_err(failed)? {
            Some(listener) => (listener, kept::Name::Systemds),
            None => {
                let listener = bind_and_rename(path).map_err(failed)?;
                let name = kept::hand_over(&listener);
                (listener, name)
            }
        };
        Ok(Self {
            listener,
            name,
            path: path.to_owned(),
            room: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            strangers: Arc::new(Semaphore::new(MAX_STRANGERS)),
        })
    }

    /// Answers until it is dropped. Runs within a tokio runtime.
    ///
    /// # Errors
    /// When the listener can't be watched.
    pub async fn serve(&self, answering: Answering) -> io::Result<()> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(err) => {
                    tracing::warn!(error = %err, "can't accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Known from the moment at which the peer connected. Whoever is gone by now asks nothing.
            let Ok(peer) = stream.peer_cred() else {
                continue;
            };
            let admission = answering.peers.admit(peer.uid());
            let room = match admission {
                Admission::Admit => &self.room,
                Admission::Refuse => &self.strangers,
            };
            let Ok(permit) = Arc::clone(room).try_acquire_owned() else {
                // A short frame fits into the buffer of a new connection; one that it does not fit gets none.
                let _ = stream.try_write(&reply::unavailable(Reason::Busy));
                continue;
            };
            let answering = answering.clone();
            tokio::spawn(async move {
                let conversing = answering.converse(stream, admission, peer.uid());
                // Dropping the connection is all there is to do about a peer that is slow or has gone.
                let _ = tokio::time::timeout(CONNECTION_DEADLINE, conversing).await;
                drop(permit);
            });
        }
    }

    /// Waits for the answers to connections that were accepted. Those in the queue are left to whoever listens next.
    pub async fn finish(&self) {
        let all = self.room.acquire_many(MAX_CONNECTIONS_U32);
        let _ = tokio::time::timeout(CONNECTION_DEADLINE, all).await;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.name == kept::Name::Ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn bind_and_rename(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let _ = std::fs::remove_file(&temporary);
    let listener = std::os::unix::net::UnixListener::bind(&temporary)?;
    std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    std::fs::rename(&temporary, path)?;
    Ok(listener)
}

impl Answering {
    async fn converse(
        &self,
        mut stream: UnixStream,
        admission: Admission,
        uid: u32,
    ) -> io::Result<()> {
        // Read first and refused then: closed over an unread request, the connection would lose the answer.
        let request = tokio::time::timeout(REQUEST_DEADLINE, read_request(&mut stream)).await;
        let Ok(Ok(request)) = request else {
            return Ok(());
        };
        if admission == Admission::Refuse {
            tracing::warn!(uid, "a user that may not ask was refused");
            return stream
                .write_all(&reply::unavailable(Reason::PeerRefused))
                .await;
        }
        let frame = self.answer(&request).await;
        stream.write_all(&frame).await
    }

    async fn answer(&self, frame: &[u8]) -> Vec<u8> {
        let question = match reply::decode(frame) {
            Ok(Request::Keys(question)) => question,
            Ok(Request::Principals(_)) => return reply::none(Reason::NoPrincipals),
            Ok(Request::Status) => return status::frame(&self.shared, &self.identity),
            Err(refusal) => return refusal,
        };
        match self.shared.answer(&question).await {
            None => reply::none(Reason::AccountRefused),
            Some(answer) => {
                reply::report(&question, &answer);
                reply::frame(&answer)
            }
        }
    }
}

/// Reads until the frame is whole, or until it is plain that it is none.
async fn read_request(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut frame = Vec::with_capacity(USUAL_REQUEST);
    loop {
        match frame_len(FrameKind::Request, &frame) {
            Ok(Some(length)) if frame.len() < length => {}
            Ok(None) => {}
            // Whole, longer than whole, or broken: the decoder says which.
            _ => return Ok(frame),
        }
        if stream.read_buf(&mut frame).await? == 0 || frame.len() > REQUEST_MAX {
            return Ok(frame);
        }
    }
}

/// Connections at one time of those who may ask; more are answered "busy".
pub const MAX_CONNECTIONS: usize = MAX_CONNECTIONS_U32 as usize;
const MAX_CONNECTIONS_U32: u32 = 128;

/// Connections at one time of those who may not ask.
const MAX_STRANGERS: usize = 8;

/// From a connection's beginning to its end: a revalidation fits in it, and it fits into lookup's own deadline.
pub const CONNECTION_DEADLINE: Duration = Duration::from_millis(1_800);

/// From a connection's beginning to the end of its request.
pub const REQUEST_DEADLINE: Duration = Duration::from_millis(500);

/// The pause after a failed accept, usually for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes of an ordinary request.
const USUAL_REQUEST: usize = 1024;

const SOCKET_MODE: u32 = 0o666;
const WRITABLE_BY_OTHERS: u32 = 0o022;
