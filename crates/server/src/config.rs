//! `server.toml`, and what flags and environment say over it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use keyroster_keys::HostName;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::data_dir::{DataDir, FileError, read_secret};

/// What `run` works by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Where to listen.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Names and addresses under which the server is reached: those in its certificate.
    #[serde(default = "default_names")]
    pub names: Vec<String>,
    /// The database's URL; an SQLite file in the data directory when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseUrl>,
    /// Where the revocation journal is, from the data directory; in it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_journal: Option<PathBuf>,
    /// Where log lines go.
    #[serde(default)]
    pub log: LogTo,
}

/// Where log lines go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogTo {
    /// Standard error.
    #[default]
    Stderr,
    /// The local syslog.
    Syslog,
}

/// A database's URL. Its `Debug` shows no password.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

/// A configuration that can't be used. Whoever runs the server has to mend it.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read, or others may.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no TOML of the right shape.
    #[error("server.toml: {0}")]
    Toml(String),
    /// A name is neither a host name nor an address.
    #[error("\"{0}\" is neither a host name in lower case nor an IP address")]
    Name(String),
    /// No names at all.
    #[error("the server has no name under which it is reached")]
    NoName,
}

impl Config {
    /// The configuration in the data directory.
    ///
    /// # Errors
    /// When it can't be read or used.
    pub fn load(dir: &DataDir) -> Result<Self, ConfigError> {
        Self::parse(&read_secret(&dir.config())?)
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// When it is malformed, or names something that is no name.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        // The parser's long message quotes the line, and a line may hold the database's password.
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError::Toml(error.message().to_owned()))?;
        check_names(&config.names)?;
        Ok(config)
    }

    /// A new one, as `init` writes it: the given names beside those of this machine.
    ///
    /// # Errors
    /// When a name is no name.
    pub fn new(
        names: &[String],
        database: Option<DatabaseUrl>,
        listen: Option<SocketAddr>,
    ) -> Result<Self, ConfigError> {
        let mut all = default_names();
        all.extend(names.iter().cloned());
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|name| seen.insert(name.clone()));
        check_names(&all)?;
        Ok(Self {
            listen: listen.unwrap_or_else(default_listen),
            names: all,
            database,
            revocation_journal: None,
            log: LogTo::default(),
        })
    }

    /// Writes TOML, with a comment on each setting.
    ///
    /// # Errors
    /// Never in practice: every value has a TOML form.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        let body = toml::to_string(self).map_err(|error| ConfigError::Toml(error.to_string()))?;
        Ok(format!("{HEADER}{body}"))
    }

    /// The database's URL: the one that is set, or that of the file in the data directory.
    #[must_use]
    pub fn database_url(&self, dir: &DataDir) -> DatabaseUrl {
        self.database
            .clone()
            .unwrap_or_else(|| DatabaseUrl(format!("sqlite:{}", dir.sqlite().display())))
    }

    /// The revocation journal.
    #[must_use]
    pub fn journal(&self, dir: &DataDir) -> PathBuf {
        let elsewhere = self.revocation_journal.as_ref();
        elsewhere.map_or_else(|| dir.journal(), |path| dir.path().join(path))
    }
}

impl DatabaseUrl {
    /// Takes a URL; whether it is one is for the database's driver to say.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The URL, password and all.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = self.0.split(':').next().unwrap_or_default();
        write!(formatter, "DatabaseUrl({scheme})")
    }
}

fn check_names(names: &[String]) -> Result<(), ConfigError> {
    if names.is_empty() {
        return Err(ConfigError::NoName);
    }
    let refused =
        |name: &&String| name.parse::<IpAddr>().is_err() && HostName::parse(name).is_err();
    match names.iter().find(refused) {
        Some(name) => Err(ConfigError::Name(name.escape_default().to_string())),
        None => Ok(()),
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT))
}

/// This machine's own names, so that a server that is tried out is reached without naming any.
fn default_names() -> Vec<String> {
    let mut names = vec![
        String::from("localhost"),
        String::from("127.0.0.1"),
        String::from("::1"),
    ];
    let own = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .to_ascii_lowercase();
    if HostName::parse(&own).is_ok() && !names.contains(&own) {
        names.push(own);
    }
    names
}

/// The port when nothing else is said.
pub const DEFAULT_PORT: u16 = 8443;

const HEADER: &str = "\
# keyroster-server. Flags and KEYROSTER_SERVER_* variables win over this file.
#
# listen    address and port
# names     names and addresses under which hosts and people reach this server; its certificate has them
# database  postgres://...; without it, roster.db beside this file
# log       \"stderr\" or \"syslog\"
# revocation-journal  a file on another disk than the database; without it, revocations.journal beside this file
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_init_writes_is_what_run_reads() {
        let database = Some(DatabaseUrl::new("postgres://u:secret@db/k".into()));
        let config = Config::new(
            &["keys.example.com".into(), "192.0.2.1".into()],
            database,
            None,
        )
        .unwrap();
        assert_eq!(Config::parse(&config.to_toml().unwrap()).unwrap(), config);
        assert!(
            config.names.contains(&"127.0.0.1".to_owned())
                && config.names.contains(&"192.0.2.1".to_owned())
        );
    }

    #[test]
    fn the_shipped_example_is_one_that_run_reads() {
        let example = include_str!("../../../packaging/examples/server.toml");
        assert_eq!(Config::parse(example).unwrap().names, ["keys.example.org"]);
    }

    #[test]
    fn an_unknown_setting_and_a_bad_name_are_refused() {
        for text in [
            "lisen = \"127.0.0.1:1\"",
            "names = [\"*.example.com\"]",
            "names = [\"a b\"]",
            "names = []",
        ] {
            assert!(Config::parse(text).is_err(), "{text}");
        }
        assert_eq!(Config::parse("").unwrap().listen.port(), DEFAULT_PORT);
    }

    #[test]
    fn a_password_shows_neither_in_debug_nor_in_an_error() {
        let config = Config::new(
            &[],
            Some(DatabaseUrl::new("postgres://u:secret@db/k".into())),
            None,
        )
        .unwrap();
        assert!(!format!("{config:?}").contains("secret"));
        let error = Config::parse("database = \"postgres://u:secret@db/k\nlog = 1").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
        let error = Config::parse("log = \"secret\"").unwrap_err();
        assert!(
            error.to_string().contains("log") || error.to_string().contains("variant"),
            "{error}"
        );
    }
}
