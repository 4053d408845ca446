//! What keeps the daemon from running, with what to do about it.

use std::io;
use std::path::PathBuf;

use thiserror::Error as ThisError;

use crate::args::UsageError;
use crate::exit;

/// Why the daemon ended.
#[derive(Debug, ThisError)]
pub(crate) enum Error {
    /// The arguments make no sense.
    #[error("{0}")]
    Usage(#[from] UsageError),
    /// It runs as another user than root.
    #[error("ending other people's sessions takes root")]
    NotRoot,
    /// Without process descriptors a number that was used anew could be hit.
    #[error("the kernel has no process descriptors: {0}")]
    NoProcessDescriptors(io::Error),
    /// The system said no.
    #[error("can't use \"{path}\": {err}")]
    Io {
        /// What was tried.
        path: PathBuf,
        /// What the system said.
        err: io::Error,
    },
    /// Others could change what is in it.
    #[error("\"{0}\" belongs to another user, or can be changed by others")]
    Untrusted(PathBuf),
    /// What is there was not told yet, and is kept.
    #[error("\"{0}\" holds as many reports as it may")]
    Full(PathBuf),
    /// Another one runs on the same directory.
    #[error("another daemon runs on \"{0}\"")]
    Running(PathBuf),
    /// Nobody could speak on the socket.
    #[error("there is no user \"{0}\" on this host")]
    NoSuchUser(String),
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>, err: impl Into<io::Error>) -> Self {
        Self::Io {
            path: path.into(),
            err: err.into(),
        }
    }

    /// The exit code, from sysexits.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => exit::USAGE,
            Self::NotRoot => exit::NOT_PERMITTED,
            Self::NoProcessDescriptors(_) => exit::SYSTEM,
            Self::Io { .. } | Self::Untrusted(_) | Self::Full(_) => exit::CANT_CREATE,
            Self::Running(_) | Self::NoSuchUser(_) => exit::CONFIG,
        }
    }

    /// What to do about it.
    pub(crate) const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Usage(_) => Some("see `keyroster-sessions --help`"),
            Self::NoProcessDescriptors(_) => Some("Linux has them from 5.3 on"),
            Self::Untrusted(_) => Some("its owner must be root, and only root may write there"),
            Self::NoSuchUser(_) => Some(
                "--agent-user= takes the name or number of the user that keyroster-agent runs as",
            ),
            _ => None,
        }
    }
}
