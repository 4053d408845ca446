//! `agent.toml`.
//!
//! A file that group or others can write is refused and not warned about: who writes it decides which key server is asked.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyroster_wire::{REPORTS_DIR, REPORTS_RUN_DIR};
use serde::Deserialize;

use crate::break_glass::{self, Accepted};

/// The settings of a host agent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The key server, `https://…`. Without it the one of the enrolment is asked.
    pub server: Option<String>,
    /// Where the credential and the last good snapshot are.
    pub state_dir: PathBuf,
    /// Where lookup asks.
    pub socket: PathBuf,
    /// Who may ask, besides root and the host agent's own user.
    pub lookup_users: Vec<UserRef>,
    /// Seconds between two questions to a key server that does not hold them.
    pub poll_interval_seconds: u32,
    /// Seconds for which the key server may hold a question until something changes; 0: it may not.
    pub wait_seconds: u32,
    /// The key revocation list that sshd's `RevokedKeys` names; none is kept without it.
    pub revoked_keys: Option<PathBuf>,
    /// Where the program listens that ends sessions.
    pub sessions_socket: PathBuf,
    /// Where reports are written first …
    pub reports_run_dir: PathBuf,
    /// … and where they wait for the key server.
    pub reports_dir: PathBuf,
    /// Which keys may be break-glass keys.
    pub break_glass_keys: Accepted,
    /// Where the break-glass files are.
    pub break_glass_dir: PathBuf,
    /// Where log lines go.
    pub log: LogTarget,
    /// Syslog's socket.
    pub log_socket: PathBuf,
}

/// A local user, by name or number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum UserRef {
    /// By number.
    Uid(u32),
    /// By name, as it stands in /etc/passwd.
    Name(String),
}

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogTarget {
    /// To syslog.
    Syslog,
    /// To standard error.
    Stderr,
}

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read \"{path}\": {err}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        err: std::io::Error,
    },
    /// Somebody else could have written it.
    #[error("\"{0}\" can be written by group or others")]
    Writable(PathBuf),
    /// It is not the TOML that is wanted.
    #[error("\"{path}\" is not valid: {err}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        err: Box<toml::de::Error>,
    },
    /// A value is out of its range.
    #[error("\"{path}\" is not valid: {what}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Which value, and what it may be.
        what: &'static str,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: None,
            state_dir: DEFAULT_STATE_DIR.into(),
            socket: DEFAULT_SOCKET.into(),
            lookup_users: vec![UserRef::Name(DEFAULT_LOOKUP_USER.to_owned())],
            poll_interval_seconds: DEFAULT_POLL_S,
            wait_seconds: MAX_WAIT_S,
            revoked_keys: None,
            sessions_socket: DEFAULT_SESSIONS_SOCKET.into(),
            reports_run_dir: REPORTS_RUN_DIR.into(),
            reports_dir: REPORTS_DIR.into(),
            break_glass_keys: Accepted::default(),
            break_glass_dir: break_glass::default_dir().into(),
            log: LogTarget::Syslog,
            log_socket: DEFAULT_LOG_SOCKET.into(),
        }
    }
}

impl Config {
    /// Reads the settings. A file that does not exist is an error only if it was asked for by name.
    ///
    /// # Errors
    /// When the file can't be trusted, read or understood.
    pub fn load(asked_for: Option<&Path>) -> Result<Self, ConfigError> {
        let path = asked_for.unwrap_or(Path::new(DEFAULT_PATH));
        match read(path) {
            Ok(text) => Self::parse(path, &text),
            Err(ConfigError::Read { err, .. })
                if asked_for.is_none() && err.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(Self::default())
            }
            Err(err) => Err(err),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|err| ConfigError::Syntax {
            path: path.to_owned(),
            err: Box::new(err),
        })?;
        let value = |what| {
            Err(ConfigError::Value {
                path: path.to_owned(),
                what,
            })
        };
        if !(MIN_POLL_S..=MAX_POLL_S).contains(&config.poll_interval_seconds) {
            return value("poll-interval-seconds is from 1 to 3600");
        }
        if config.wait_seconds > MAX_WAIT_S {
            return value("wait-seconds is from 0 to 25");
        }
        let paths = [
            &config.state_dir,
            &config.socket,
            &config.sessions_socket,
            &config.break_glass_dir,
            &config.reports_run_dir,
            &config.reports_dir,
        ];
        if !paths.iter().all(|path| path.is_absolute()) {
            return value("the paths of files, directories and sockets are absolute");
        }
        if config
            .revoked_keys
            .as_ref()
            .is_some_and(|path| !path.is_absolute() || path.file_name().is_none())
        {
            return value("revoked-keys is the absolute path of a file");
        }
        if config
            .server
            .as_ref()
            .is_some_and(|url| !url.starts_with("https://"))
        {
            return value("server begins with https://");
        }
        Ok(config)
    }

    /// The time between two questions to a key server that does not hold them.
    #[must_use]
    pub fn poll_interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.poll_interval_seconds))
    }

    /// The longest time for which the key server may hold a question.
    #[must_use]
    pub fn wait(&self) -> Duration {
        Duration::from_secs(u64::from(self.wait_seconds))
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |err| ConfigError::Read {
        path: path.to_owned(),
        err,
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(ConfigError::Writable(path.to_owned()));
    }
    let mut text = String::new();
    file.take(MAX_CONFIG_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}

/// Where the settings are unless the command line says otherwise.
pub const DEFAULT_PATH: &str = "/etc/keyroster/agent.toml";

const DEFAULT_STATE_DIR: &str = "/var/lib/keyroster-agent";
const DEFAULT_SOCKET: &str = "/run/keyroster/agent.sock";
const DEFAULT_SESSIONS_SOCKET: &str = "/run/keyroster-sessions/sessions.sock";
const DEFAULT_LOOKUP_USER: &str = "keyroster-lookup";
const DEFAULT_LOG_SOCKET: &str = "/dev/log";
const DEFAULT_POLL_S: u32 = 5;
const MIN_POLL_S: u32 = 1;
const MAX_POLL_S: u32 = 3600;

/// Seconds for which a question may be held: routers forget connections that are silent for longer than half a minute.
pub const MAX_WAIT_S: u32 = 25;

/// Bytes of a settings file that are read.
const MAX_CONFIG_BYTES: u64 = 64 * 1024;

const WRITABLE_BY_OTHERS: u32 = 0o022;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("agent.toml"), text)
    }

    #[test]
    fn an_empty_file_gives_the_documented_defaults() {
        assert_eq!(parse("").unwrap(), Config::default());
        assert_eq!(Config::default().poll_interval(), Duration::from_secs(5));
    }

    #[test]
    fn the_shipped_example_is_valid_and_its_comments_tell_the_defaults() {
        let example = include_str!("../../../packaging/examples/agent.toml");
        assert_eq!(parse(example).unwrap(), Config::default());
        let setting = |line: &str| line.starts_with('#') && line.contains(" = ");
        let uncommented: String = example
            .lines()
            .map(|line| {
                if setting(line) {
                    line.trim_start_matches('#')
                } else {
                    line
                }
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        // What is off, or from elsewhere, by default has no default to tell.
        let switched_on = Config {
            server: Some("https://keys.example.org:8443".to_owned()),
            revoked_keys: Some("/var/lib/keyroster-agent/revoked-keys.krl".into()),
            ..Config::default()
        };
        assert_eq!(parse(&uncommented).unwrap(), switched_on);
    }

    #[test]
    fn users_are_named_or_numbered() {
        let config = parse("lookup-users = [\"keyroster-lookup\", 990]").unwrap();
        let expected = [
            UserRef::Name("keyroster-lookup".to_owned()),
            UserRef::Uid(990),
        ];
        assert_eq!(config.lookup_users, expected);
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_refused() {
        for text in [
            "sever = \"https://k\"",
            "state_dir = \"/x\"",
            "server = \"http://k\"",
            "socket = \"agent.sock\"",
            "sessions-socket = \"sessions.sock\"",
            "poll-interval-seconds = 0",
            "poll-interval-seconds = 3601",
            "wait-seconds = 26",
            "break-glass-keys = \"soft\"",
            "reports-dir = \"reports\"",
            "break-glass-dir = \"break-glass\"",
            "log = \"file\"",
            "revoked-keys = \"revoked.krl\"",
            "revoked-keys = \"/\"",
            "revoked-keys = true",
            "lookup-users = [-1]",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_that_group_or_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        std::fs::write(&path, "").unwrap();
        for (mode, refused) in [(0o644, false), (0o600, false), (0o664, true), (0o646, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let loaded = Config::load(Some(&path));
            assert_eq!(
                matches!(loaded, Err(ConfigError::Writable(_))),
                refused,
                "{mode:o}"
            );
        }
    }

    #[test]
    fn a_missing_file_that_was_asked_for_is_an_error() {
        assert!(matches!(
            Config::load(Some(Path::new("/nowhere/agent.toml"))),
            Err(ConfigError::Read { .. })
        ));
    }
}
