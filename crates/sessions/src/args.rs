//! The command line: a verb, then `--name=value`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use keyroster_wire::REPORTS_DIR;
use thiserror::Error;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
keyroster-sessions: which key opened which session

It ends the sessions of revoked keys, and tells when a break-glass key was used.

usage:
  keyroster-sessions record   run by pam_exec when sshd opens or closes a session
  keyroster-sessions serve    the daemon, as root
  keyroster-sessions keep     puts reports on disk; run by record

options:
  --dir=PATH         where sessions are recorded (/run/keyroster-sessions)
  --socket=PATH      where the host agent speaks (sessions.sock in that directory)
  --agent-user=USER  the name or number of the host agent's user (keyroster-agent)
  --break-glass=DIR  where the break-glass files are (/etc/keyroster/break-glass)
  --spool=DIR        where reports are put on disk (/var/spool/keyroster)
  --log-socket=PATH  syslog's socket (/dev/log)
  --help, --version
";

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
    /// Do what the settings say.
    Do(Settings),
}

/// The verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Write down what PAM says.
    Record,
    /// The daemon.
    Serve,
    /// Put reports on disk.
    Keep,
}

impl Verb {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Serve => "serve",
            Self::Keep => "keep",
        }
    }
}

/// A verb with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) verb: Verb,
    /// Where sessions are recorded.
    pub(crate) dir: PathBuf,
    /// Where the host agent speaks.
    pub(crate) socket: PathBuf,
    /// Who may speak there, besides root.
    pub(crate) agent_user: UserRef,
    /// Where the break-glass files are.
    pub(crate) break_glass: PathBuf,
    /// Where reports are put on disk.
    pub(crate) spool: PathBuf,
    /// Syslog's socket.
    pub(crate) log_socket: PathBuf,
}

/// A local user, by name or number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserRef {
    /// By number.
    Uid(u32),
    /// By name, as it stands in /etc/passwd.
    Name(String),
}

/// Why the arguments make no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum UsageError {
    /// None of the verbs.
    #[error("the first argument must be \"record\", \"serve\" or \"keep\"")]
    Verb,
    /// An option that there is not, or one without a value.
    #[error("argument {0} is no option with a value")]
    Option(usize),
}

/// Reads the arguments, the program's name first.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Invocation, UsageError> {
    let mut arguments = arguments.into_iter().skip(1);
    let verb = arguments.next().ok_or(UsageError::Verb)?;
    let verb = match verb.as_bytes() {
        b"record" => Verb::Record,
        b"serve" => Verb::Serve,
        b"keep" => Verb::Keep,
        b"--help" => return Ok(Invocation::Help),
        b"--version" => return Ok(Invocation::Version),
        _ => return Err(UsageError::Verb),
    };
    let mut settings = Settings {
        verb,
        dir: PathBuf::from(DEFAULT_DIR),
        socket: PathBuf::new(),
        agent_user: UserRef::Name(DEFAULT_AGENT_USER.to_owned()),
        break_glass: PathBuf::from(DEFAULT_BREAK_GLASS),
        spool: PathBuf::from(REPORTS_DIR),
        log_socket: PathBuf::from(DEFAULT_LOG_SOCKET),
    };
    for (number, argument) in arguments.enumerate() {
        take(&mut settings, &argument).ok_or(UsageError::Option(number + 2))?;
    }
    if settings.socket.as_os_str().is_empty() {
        settings.socket = settings.dir.join(SOCKET_NAME);
    }
    Ok(Invocation::Do(settings))
}

fn take(settings: &mut Settings, argument: &OsStr) -> Option<()> {
    let bytes = argument.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (bytes.get(..at)?, bytes.get(at + 1..)?);
    let absolute = || {
        value
            .starts_with(b"/")
            .then(|| PathBuf::from(OsStr::from_bytes(value)))
    };
    match name {
        b"--dir" => settings.dir = absolute()?,
        b"--socket" => settings.socket = absolute()?,
        b"--break-glass" => settings.break_glass = absolute()?,
        b"--spool" => settings.spool = absolute()?,
        b"--log-socket" => settings.log_socket = absolute()?,
        b"--agent-user" => settings.agent_user = user(str::from_utf8(value).ok()?)?,
        _ => return None,
    }
    Some(())
}

fn user(text: &str) -> Option<UserRef> {
    if text.is_empty() {
        None
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok().map(UserRef::Uid)
    } else {
        Some(UserRef::Name(text.to_owned()))
    }
}

const DEFAULT_DIR: &str = "/run/keyroster-sessions";
const SOCKET_NAME: &str = "sessions.sock";
const DEFAULT_AGENT_USER: &str = "keyroster-agent";
const DEFAULT_BREAK_GLASS: &str = "/etc/keyroster/break-glass";
const DEFAULT_LOG_SOCKET: &str = "/dev/log";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Invocation, UsageError> {
        parse(
            std::iter::once("keyroster-sessions")
                .chain(words.iter().copied())
                .map(OsString::from),
        )
    }

    fn settings(words: &[&str]) -> Settings {
        match parsed(words) {
            Ok(Invocation::Do(settings)) => settings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_verb_alone_stands_for_the_shipped_layout() {
        let record = settings(&["record"]);
        assert_eq!(record.verb, Verb::Record);
        assert_eq!(record.dir, PathBuf::from("/run/keyroster-sessions"));
        assert_eq!(
            record.socket,
            PathBuf::from("/run/keyroster-sessions/sessions.sock")
        );
        assert_eq!(record.spool, PathBuf::from("/var/spool/keyroster"));
        assert_eq!(
            record.agent_user,
            UserRef::Name("keyroster-agent".to_owned())
        );
    }

    #[test]
    fn each_option_is_taken_and_the_socket_follows_the_directory() {
        let serve = settings(&[
            "serve",
            "--dir=/run/x",
            "--agent-user=990",
            "--break-glass=/etc/b",
            "--spool=/var/s",
            "--log-socket=/run/log",
        ]);
        assert_eq!(serve.verb, Verb::Serve);
        assert_eq!(serve.socket, PathBuf::from("/run/x/sessions.sock"));
        assert_eq!(serve.agent_user, UserRef::Uid(990));
        assert_eq!(serve.break_glass, PathBuf::from("/etc/b"));
        assert_eq!(serve.spool, PathBuf::from("/var/s"));
        assert_eq!(serve.log_socket, PathBuf::from("/run/log"));
        assert_eq!(
            settings(&["serve", "--socket=/run/s"]).socket,
            PathBuf::from("/run/s")
        );
    }

    #[test]
    fn what_is_no_verb_or_no_option_is_refused() {
        assert_eq!(parsed(&[]), Err(UsageError::Verb));
        assert_eq!(parsed(&["end"]), Err(UsageError::Verb));
        for option in [
            "--dir",
            "--dir=",
            "--dir=x",
            "--agent-user=",
            "--agent-user=99999999999",
            "--x=/y",
            "/y",
        ] {
            assert_eq!(
                parsed(&["serve", option]),
                Err(UsageError::Option(2)),
                "{option}"
            );
        }
    }

    #[test]
    fn the_manual_page_has_every_option_that_help_has() {
        let page = include_str!("../../../packaging/man/keyroster-sessions.8").replace("\\-", "-");
        let words = HELP.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
        for option in words.filter(|word| word.starts_with("--")) {
            assert!(page.contains(option), "{option}");
        }
    }
}
