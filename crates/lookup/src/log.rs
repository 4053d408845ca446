//! One datagram to the system log, which never waits.
//!
//! The lookup speaks the socket's protocol itself: a priority, a tag with the process id, the text. It leaves out
//! the time stamp that libc's `syslog` sends, as that is in local time, for which a time zone file would be read on every login;
//! journald, rsyslog and busybox put the time of arrival there. A full queue or a missing socket costs the message and not the login.
//!
//! Everything in a message that a stranger chose stands in quotes, with every byte that is not printable ASCII, and the quote
//! and the backslash themselves, as `\xHH`: a value can't end its line, its quotes or its field.

use std::fmt::{self, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::sys;

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The program can't do its work as it is set up.
    Error,
    /// A question went undecided.
    Warning,
    /// A question was answered.
    Info,
}

impl Severity {
    /// Facility authpriv (10) with this severity, as the protocol's one number.
    const fn priority(self) -> u8 {
        let severity = match self {
            Self::Error => 3,
            Self::Warning => 4,
            Self::Info => 6,
        };
        10 * 8 + severity
    }
}

/// Longest datagram, in bytes; what is over is cut.
const MESSAGE_MAX: usize = 2 * 1024;

/// Longest value of a stranger's that is shown, in bytes of the value.
const VALUE_MAX: usize = 256;

/// Sends one message to the socket at `path`; failure to do so is nobody's concern.
pub(crate) fn send(path: &Path, severity: Severity, message: &dyn fmt::Display) {
    let mut datagram = String::with_capacity(512);
    let written = write!(
        datagram,
        "<{}>keyroster-lookup[{}]: {message}",
        severity.priority(),
        std::process::id()
    );
    if written.is_err() {
        return;
    }
    let end = datagram.floor_char_boundary(MESSAGE_MAX);
    datagram.truncate(end);
    let Ok(socket) = UnixDatagram::unbound() else {
        return;
    };
    if socket.set_nonblocking(true).is_ok() && socket.connect(path).is_ok() {
        let _lost_when_the_queue_is_full = socket.send(datagram.as_bytes());
        sys::lend_log_to_watchdog(socket);
    }
}

/// A stranger's value as it may stand in a message.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, cut) = match self.0.split_at_checked(VALUE_MAX) {
            Some((shown, rest)) => (shown, !rest.is_empty()),
            None => (self.0, false),
        };
        f.write_char('"')?;
        for byte in shown {
            match byte {
                b'"' | b'\\' => write!(f, "\\x{byte:02x}")?,
                b' '..=b'~' => f.write_char(char::from(*byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        f.write_str(if cut { "\"..." } else { "\"" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_quotes_or_its_line() {
        let value = b"bob\" answer=found \\\n<80>sshd[1]: Accepted\x1b[2J\xff\xe2\x80\xae%s";
        let quoted = Quoted(value).to_string();
        assert_eq!(
            quoted,
            "\"bob\\x22 answer=found \\x5c\\x0a<80>sshd[1]: Accepted\\x1b[2J\\xff\\xe2\\x80\\xae%s\""
        );
    }

    #[test]
    fn a_long_value_is_cut_and_shown_to_be_cut() {
        assert_eq!(
            Quoted(&[b'a'; VALUE_MAX]).to_string(),
            format!("\"{}\"", "a".repeat(VALUE_MAX))
        );
        assert_eq!(
            Quoted(&[b'a'; VALUE_MAX + 1]).to_string(),
            format!("\"{}\"...", "a".repeat(VALUE_MAX))
        );
    }

    #[test]
    fn priorities_are_those_of_authpriv() {
        assert_eq!(
            [Severity::Error, Severity::Warning, Severity::Info].map(Severity::priority),
            [83, 84, 86]
        );
    }
}
