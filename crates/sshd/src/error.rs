//! What can go wrong with an sshd.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why sshd could not be asked, or not be told.
#[derive(Debug, thiserror::Error)]
pub enum SshdError {
    /// A program can't be started: it is not there, or not executable.
    #[error("can't run \"{program}\": {err}")]
    Start {
        /// Its path or name.
        program: String,
        /// What the system said.
        err: io::Error,
    },
    /// A program was ended because it took too long.
    #[error("\"{program}\" did not end within {} s", limit.as_secs())]
    TooSlow {
        /// Its path or name.
        program: String,
        /// What it was given.
        limit: Duration,
    },
    /// A program ended with an error; what it said is for people.
    #[error("{what} failed: {said}")]
    Failed {
        /// What was run.
        what: &'static str,
        /// What it said, in one line.
        said: String,
    },
    /// What answers is no OpenSSH.
    #[error("\"{0}\" does not say which OpenSSH it is")]
    NoVersion(PathBuf),
    /// A file or process can't be looked at.
    #[error("can't {action} \"{path}\": {err}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        err: io::Error,
    },
    /// A value would mean something else where it has to stand.
    #[error("\"{0}\" can't be asked about")]
    Value(&'static str),
    /// The configuration does not read the directory of drop-ins, so a drop-in would do nothing.
    #[error("\"{config}\" does not include \"{directory}\"")]
    NotIncluded {
        /// The configuration.
        config: PathBuf,
        /// The directory of drop-ins.
        directory: PathBuf,
    },
    /// sshd did not come back after it was told to read its configuration again.
    #[error("sshd (process {0}) does not listen any more")]
    Gone(u32),
    /// One that may have read the configuration of before does not listen yet, and can't be told. Ask again.
    #[error("sshd (process {0}) was started and does not listen yet")]
    Starting(u32),
}

impl SshdError {
    pub(crate) fn io(action: &'static str, path: &Path, err: impl Into<io::Error>) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            err: err.into(),
        }
    }
}
