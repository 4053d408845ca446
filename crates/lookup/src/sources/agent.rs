//! The host agent's socket.
//!
//! Before a byte is sent it must be plain that the host agent is at the other end. The socket's directory is one that only its owner
//! can change, that owner is root or the one who owns the socket, and the process that listens is the socket's owner. So nobody
//! else can have put a socket of theirs in its place, neither before nor between the checks.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use keyroster_wire::{FrameKind, frame_len};

use crate::config::{Config, OwnUid, WRITABLE_BY_OTHERS};
use crate::deadline::Deadline;
use crate::outcome::Why;
use crate::privilege::ROOT;
use crate::sys::{self, Interest};

/// Length of the first read, in bytes: an ordinary response whole.
const FIRST_READ: usize = 2 * 1024;

/// Milliseconds between two attempts to connect while the listener's queue is full.
const CONNECT_PAUSE_MS: i32 = 2;

/// Sends `request` and returns the frame that comes back.
pub(super) fn exchange(
    config: &Config,
    request: &[u8],
    deadline: Deadline,
) -> Result<Vec<u8>, Why> {
    let owner = socket_owner(&config.agent_socket)?;
    let socket = connect(&config.agent_socket, deadline)?;
    let peer = sys::peer_uid(socket.as_fd()).map_err(|_| Why::Io)?;
    let own = sys::ids().map_err(|_| Why::Io)?.users;
    if peer != owner || (own.contains(&peer) && config.agent_own_uid == OwnUid::Refuse) {
        return Err(Why::PeerMistrusted);
    }
    let mut stream = UnixStream::from(socket);
    send(&mut stream, request, deadline).map_err(why)?;
    receive(&mut stream, deadline)
}

/// The owner of the socket at `path`, when nobody else can have put it there.
fn socket_owner(path: &Path) -> Result<u32, Why> {
    let judged = |found: io::Result<fs::Metadata>| match found {
        Ok(metadata) => Ok(metadata),
        Err(err) if err.kind() == ErrorKind::NotFound => Err(Why::NotRunning),
        Err(_) => Err(Why::PeerMistrusted),
    };
    let parent = path.parent().ok_or(Why::PeerMistrusted)?;
    let directory = judged(fs::metadata(parent))?;
    let socket = judged(fs::symlink_metadata(path))?;
    let owners_agree =
        directory.uid() == socket.uid() || directory.uid() == ROOT || socket.uid() == ROOT;
    let changed_by_owner_only = directory.mode() & WRITABLE_BY_OTHERS == 0;
    if socket.file_type().is_socket() && owners_agree && changed_by_owner_only {
        Ok(socket.uid())
    } else {
        Err(Why::PeerMistrusted)
    }
}

/// Connects, waiting for room in the listener's queue. On a blocking socket that wait would have no end.
fn connect(path: &Path, deadline: Deadline) -> Result<OwnedFd, Why> {
    loop {
        match sys::connect_stream(path) {
            Ok(socket) => return Ok(socket),
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                if deadline.has_passed() {
                    return Err(Why::Deadline);
                }
                sys::pause(CONNECT_PAUSE_MS);
            }
            Err(err)
                if matches!(
                    err.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused
                ) =>
            {
                return Err(Why::NotRunning);
            }
            Err(_) => return Err(Why::Io),
        }
    }
}

fn send(stream: &mut UnixStream, mut request: &[u8], deadline: Deadline) -> io::Result<()> {
    while !request.is_empty() {
        match stream.write(request) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(sent) => request = request.get(sent..).unwrap_or_default(),
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                sys::poll(stream.as_fd(), Interest::Write, deadline)?
            }
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// Reads until the frame is whole. The deadline is one for all of it, so a peer that sends a byte now and then gains nothing.
fn receive(stream: &mut UnixStream, deadline: Deadline) -> Result<Vec<u8>, Why> {
    let mut frame = vec![0; FIRST_READ];
    let mut have = 0;
    loop {
        sys::poll(stream.as_fd(), Interest::Read, deadline).map_err(why)?;
        match stream.read(frame.get_mut(have..).unwrap_or_default()) {
            Ok(0) => return Err(Why::Protocol),
            Ok(count) => have += count,
            Err(err) if matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(err) => return Err(why(err)),
        }
        let start = frame.get(..have).unwrap_or_default();
        if let Some(length) = frame_len(FrameKind::Response, start).map_err(|_| Why::Protocol)? {
            if have >= length {
                frame.truncate(have);
                return Ok(frame);
            }
            frame.resize(length, 0);
        }
    }
}

fn why(err: io::Error) -> Why {
    if err.kind() == ErrorKind::TimedOut {
        Why::Deadline
    } else {
        Why::Io
    }
}
