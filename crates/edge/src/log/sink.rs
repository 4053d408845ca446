//! Where lines end: stderr or syslog.

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

use syslog::{LogFormat, Logger, LoggerBackend, Severity};
use tracing::Level;

use super::queue::WriteLine;
use super::{Destination, Facility};

/// A destination that is connected when it is first needed, and again after it failed.
pub(super) struct Sink {
    program: &'static str,
    destination: Destination,
    syslog: Option<Logger<LoggerBackend, Untimed>>,
}

impl Sink {
    pub(super) fn new(program: &'static str, destination: Destination) -> Self {
        Self {
            program,
            destination,
            syslog: None,
        }
    }

    fn send_syslog(&mut self, facility: Facility, socket: PathBuf, level: Level, line: &str) {
        // Once with what is connected, once more with a new connection: the receiver may have been restarted.
        for _ in 0..2 {
            if self.syslog.is_none() {
                let format = Untimed {
                    facility: facility.into(),
                    program: self.program,
                };
                self.syslog = syslog::unix_custom(format, &socket).ok();
            }
            let Some(logger) = &mut self.syslog else {
                return;
            };
            let sent = match level {
                Level::ERROR => logger.err(line),
                Level::WARN => logger.warning(line),
                Level::INFO => logger.info(line),
                Level::DEBUG | Level::TRACE => logger.debug(line),
            };
            match sent {
                Ok(()) => return,
                Err(_) => self.syslog = None,
            }
        }
    }
}

impl WriteLine for Sink {
    fn write_line(&mut self, level: Level, line: &str) {
        match &self.destination {
            // Nobody is left to tell when stderr is closed.
            Destination::Stderr => drop(writeln!(std::io::stderr().lock(), "{line}")),
            Destination::Syslog { facility, socket } => {
                let (facility, socket) = (*facility, socket.clone());
                self.send_syslog(facility, socket, level, line);
            }
        }
    }
}

/// `<priority>program[pid]: message`. The crate's own format stamps UTC where receivers read local time; without a stamp
/// they use their own clock.
#[derive(Clone)]
struct Untimed {
    facility: syslog::Facility,
    program: &'static str,
}

impl<T: Display> LogFormat<T> for Untimed {
    fn format<W: Write>(&self, out: &mut W, severity: Severity, message: T) -> syslog::Result<()> {
        let priority = self.facility as u8 | severity as u8;
        let pid = std::process::id();
        write!(out, "<{priority}>{}[{pid}]: {message}", self.program).map_err(syslog::Error::Write)
    }
}

impl From<Facility> for syslog::Facility {
    fn from(facility: Facility) -> Self {
        match facility {
            Facility::Daemon => Self::LOG_DAEMON,
            Facility::Authpriv => Self::LOG_AUTHPRIV,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_line_reaches_syslog_with_its_facility_severity_program_and_pid() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("log");
        let receiver = UnixDatagram::bind(&socket).unwrap();
        let mut sink = Sink::new(
            "keyroster-test",
            Destination::Syslog {
                facility: Facility::Authpriv,
                socket,
            },
        );
        sink.write_line(Level::WARN, "stale answer");
        // authpriv is facility 10, warning is severity 4.
        let expected = format!("<84>keyroster-test[{}]: stale answer", std::process::id());
        assert_eq!(received(&receiver), expected);
    }

    #[test]
    fn a_restarted_receiver_gets_the_very_next_line() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("log");
        let mut sink = Sink::new(
            "t",
            Destination::Syslog {
                facility: Facility::Daemon,
                socket: socket.clone(),
            },
        );
        sink.write_line(Level::INFO, "nobody listens yet");
        let first = UnixDatagram::bind(&socket).unwrap();
        sink.write_line(Level::INFO, "one");
        assert!(received(&first).ends_with(": one"));
        drop(first);
        std::fs::remove_file(&socket).unwrap();
        let second = UnixDatagram::bind(&socket).unwrap();
        sink.write_line(Level::ERROR, "two");
        assert!(
            received(&second).starts_with("<27>"),
            "daemon is 3, error is 3"
        );
    }
}
