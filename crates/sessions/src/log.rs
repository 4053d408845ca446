//! One datagram to the system log, which never waits.
//!
//! A full queue or a missing socket costs the message, and neither the login nor the end of a session. Everything that is
//! logged is a parsed name, a fingerprint, a number, or a word of ours.

use std::fmt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// People are to look at once.
    Alert,
    /// Something is not done that should be.
    Error,
    /// Something is odd.
    Warning,
    /// Something was done that people want to know of.
    Notice,
}

impl Severity {
    /// Facility authpriv (10) with this severity, as the protocol's one number.
    const fn priority(self) -> u8 {
        let severity = match self {
            Self::Alert => 1,
            Self::Error => 3,
            Self::Warning => 4,
            Self::Notice => 5,
        };
        10 * 8 + severity
    }
}

/// Where messages go.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    socket: PathBuf,
}

impl Log {
    pub(crate) fn to(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// Sends one message; failure to do so is nobody's concern.
    pub(crate) fn say(&self, severity: Severity, message: fmt::Arguments<'_>) {
        let mut text = format!(
            "<{}>keyroster-sessions[{}]: {message}",
            severity.priority(),
            std::process::id()
        );
        text.truncate(text.floor_char_boundary(MESSAGE_MAX));
        let Ok(socket) = UnixDatagram::unbound() else {
            return;
        };
        if socket.set_nonblocking(true).is_ok() && socket.connect(&self.socket).is_ok() {
            let _lost_when_the_queue_is_full = socket.send(text.as_bytes());
        }
    }
}

/// Longest datagram, in bytes; what is over is cut.
const MESSAGE_MAX: usize = 2 * 1024;
