//! Why sshd was not told, or not told otherwise.

use std::io;
use std::path::{Path, PathBuf};

use keyroster_sshd::SshdError;

use crate::exit;
use crate::state::StateError;

/// Why a change was not made, or did not stay. Nothing is changed then, unless the message says so.
#[derive(Debug, thiserror::Error)]
pub enum EnableError {
    /// Somebody else than root asks.
    #[error("only root can change what sshd does")]
    NotRoot,
    /// sshd can't be asked or told.
    #[error(transparent)]
    Sshd(#[from] SshdError),
    /// Root's records can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The system said no.
    #[error("can't {action} \"{path}\": {err}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        err: io::Error,
    },
    /// It is there, but can't be relied on.
    #[error("\"{path}\" is not trusted: {why}")]
    Untrusted {
        /// What.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A path that sshd would read as something else.
    #[error("\"{0}\" can't stand in sshd's configuration")]
    Path(PathBuf),
    /// Somebody else is at it.
    #[error("another `enable` or `disable` is at work")]
    Busy,
    /// A change waits for its first login.
    #[error("a change waits for its first login")]
    Waiting,
    /// There is nothing to confirm.
    #[error("nothing waits for a login")]
    NothingPending,
    /// Something does not hold that must.
    #[error("{0}")]
    Unmet(Unmet),
    /// sshd does not accept its configuration, whether or not by our doing.
    #[error("sshd refuses its configuration: {0}")]
    Broken(String),
    /// The change was made and taken back.
    #[error("taken back: {0}")]
    TakenBack(String),
    /// Nobody could be started who would take the change back.
    #[error("nobody would take the change back: {0}")]
    NoWatcher(String),
    /// A change failed, and so did taking it back.
    #[error("{failure}; and it could not be taken back: {undo}")]
    HalfDone {
        /// What failed first.
        failure: Box<EnableError>,
        /// Why it could not be taken back.
        undo: Box<EnableError>,
    },
    /// After `disable` sshd still asks keyroster.
    #[error("sshd still runs keyroster-lookup: {0}")]
    StillThere(String),
    /// The disabled configuration would be one that sshd refuses.
    #[error("without the drop-in sshd would refuse its configuration: {0}")]
    BrokenWithout(String),
    /// Something that should not happen.
    #[error("{0}")]
    Internal(String),
}

/// Something that must hold before sshd is told, and does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unmet {
    /// What does not hold.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl Unmet {
    /// That this does not hold, and what to do about it.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: hint.into(),
        }
    }
}

impl EnableError {
    pub(crate) fn io(action: &'static str, path: &Path, err: impl Into<io::Error>) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            err: err.into(),
        }
    }

    pub(crate) fn untrusted(path: &Path, why: &'static str) -> Self {
        Self::Untrusted {
            path: path.to_owned(),
            why,
        }
    }

    /// The exit status, from sysexits(3).
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::NotRoot => exit::NO_PERMISSION,
            Self::Sshd(_) | Self::NoWatcher(_) => exit::UNAVAILABLE,
            Self::State(_) | Self::Io { .. } => exit::IO,
            Self::Busy | Self::Waiting | Self::TakenBack(_) => exit::TEMPORARY,
            Self::Path(_) | Self::NothingPending => exit::USAGE,
            Self::Untrusted { .. }
            | Self::Unmet(_)
            | Self::Broken(_)
            | Self::BrokenWithout(_)
            | Self::StillThere(_) => exit::CONFIG,
            Self::HalfDone { .. } | Self::Internal(_) => exit::SOFTWARE,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotRoot => {
                "`sudo --preserve-env=SSH_AUTH_SOCK`, so that your ssh-agent comes along for the trial login"
            }
            Self::Unmet(unmet) => &unmet.hint,
            Self::Untrusted { .. } => {
                "it must be a plain file or directory of root's that nobody else can write"
            }
            Self::Waiting => {
                "log in, or `keyroster-agent enable --confirm`, or take it back with `keyroster-agent disable`"
            }
            Self::Sshd(SshdError::NotIncluded { directory, .. }) => {
                return Some(format!(
                    "put `Include {}/*.conf` before everything else in sshd's configuration",
                    directory.display()
                ));
            }
            Self::Broken(_) | Self::BrokenWithout(_) => "`sshd -t` says the same; mend that first",
            Self::NoWatcher(_) => {
                "install packaging/systemd/keyroster-enable.service, or say `--confirm-within never`"
            }
            Self::HalfDone { .. } => {
                "keep this shell open; look at the drop-in and at `sshd -t`, then `keyroster-agent disable`"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
