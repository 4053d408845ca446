//! What can end the program, with what to do about it.

use std::path::PathBuf;

use keyroster_edge::{ClientError, FetchError, TlsError};

use crate::break_glass::verbs::BreakGlassError;
use crate::certificate::NewKeyError;
use crate::clock::BootIdError;
use crate::config::{ConfigError, DEFAULT_PATH};
use crate::enable::EnableError;
use crate::enroll::EnrollError;
use crate::exit;
use crate::socket::SocketError;
use crate::state::StateError;

/// Why the program ended. Each has an exit status and, where there is one, a hint.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The settings can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state directory or something in it can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The socket can't be listened on.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The credential can't be used for TLS.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Enrolment failed.
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    /// Something about break-glass keys.
    #[error(transparent)]
    BreakGlass(#[from] BreakGlassError),
    /// Logging can't be set up.
    #[error(transparent)]
    Log(#[from] keyroster_edge::log::LogError),
    /// The kernel does not say which boot this is.
    #[error(transparent)]
    BootId(#[from] BootIdError),
    /// There is no credential.
    #[error("this host is not enrolled")]
    NotEnrolled,
    /// Another one runs on the same state directory.
    #[error("another host agent is running on \"{0}\"")]
    Running(PathBuf),
    /// sshd was not told, or not told otherwise.
    #[error(transparent)]
    Enable(#[from] EnableError),
    /// Something that should not happen.
    #[error("{0}")]
    Internal(String),
}

impl AgentError {
    /// The exit status, from sysexits(3).
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Config(_) | Self::NotEnrolled | Self::Running(_) => exit::CONFIG,
            Self::State(_) => exit::IO,
            Self::Socket(_) => exit::CANT_CREATE,
            Self::Enroll(err) => err.exit_status(),
            Self::BreakGlass(err) => err.exit_status(),
            Self::Enable(err) => err.exit_status(),
            Self::Client(_) | Self::Log(_) | Self::BootId(_) | Self::Internal(_) => exit::SOFTWARE,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotEnrolled => Some(
                "ask for an enrolment token (`keyroster host enroll-token`), then `keyroster-agent enroll`".to_owned(),
            ),
            Self::Config(ConfigError::Writable(path)) => {
                Some(format!("chmod go-w \"{}\"", path.display()))
            }
            Self::Config(_) => Some(format!("the settings are in \"{DEFAULT_PATH}\" or where --config says")),
            Self::Socket(SocketError::Directory(_)) => {
                Some("its owner must be root or the host agent's user, its mode 0755".to_owned())
            }
            Self::Enroll(err) => err.hint(),
            Self::BreakGlass(err) => err.hint(),
            Self::Enable(err) => err.hint(),
            _ => None,
        }
    }
}

impl From<TlsError> for AgentError {
    fn from(err: TlsError) -> Self {
        Self::Client(err.into())
    }
}

impl From<NewKeyError> for EnrollError {
    fn from(err: NewKeyError) -> Self {
        Self::Key(err)
    }
}

impl From<FetchError> for EnrollError {
    fn from(err: FetchError) -> Self {
        Self::Fetch(err)
    }
}
