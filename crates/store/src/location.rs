//! Where the roster lies: a file, or a PostgreSQL database by URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use thiserror::Error;

/// Where the roster lies. Neither `Debug` nor any error shows the URL's password.
#[derive(Clone)]
pub enum Location {
    /// A file of SQLite's.
    Sqlite(PathBuf),
    /// A database on a PostgreSQL server.
    Postgres(PostgresUrl),
}

/// A URL of PostgreSQL's, checked.
#[derive(Clone)]
pub struct PostgresUrl(Box<PgConnectOptions>);

/// A location that can't be used: tell the admin, and change nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LocationError {
    /// The text is neither of the two kinds. It is not repeated, for it may hold a password.
    #[error("a database is given as \"sqlite:FILE\" or \"postgres://USER@HOST/DATABASE\"")]
    Unknown,
    /// The URL is malformed. It is not repeated, for it may hold a password.
    #[error("the PostgreSQL URL can't be read: {rule}")]
    Url {
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The file is not there.
    #[error("there is no database \"{}\"", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
    },
    /// The file is there already.
    #[error("the file \"{}\" exists already", path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// Others could read or change the roster behind the key server's back.
    #[error("the database \"{}\" has mode {mode:04o}; only its owner may have access, as with mode 0600", path.display())]
    FileMode {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file can't be made or looked at.
    #[error("the database \"{}\" can't be used: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        what: String,
    },
}

impl Location {
    /// A file of SQLite's.
    #[must_use]
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        Self::Sqlite(path.as_ref().to_owned())
    }

    /// Reads `sqlite:FILE` or a URL that begins with `postgres://` or `postgresql://`.
    ///
    /// # Errors
    /// When it is neither, or a URL that can't be used.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        if let Some(path) = text.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::sqlite(path));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return PostgresUrl::parse(text).map(Self::Postgres);
        }
        Err(LocationError::Unknown)
    }
}

impl PostgresUrl {
    /// A URL that says nothing of TLS gets the strictest kind, except on the machine itself: sqlx's own default would
    /// speak in the clear with whoever refuses TLS.
    fn parse(text: &str) -> Result<Self, LocationError> {
        let query = text.split_once('?').map_or("", |(_, query)| query);
        let names: Vec<&str> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split('=').next().unwrap_or(pair))
            .collect();
        if names.iter().any(|name| !PARAMETERS.contains(name)) {
            return Err(LocationError::Url {
                rule: "a parameter is unknown",
            });
        }
        let options = PgConnectOptions::from_str(text).map_err(|_| LocationError::Url {
            rule: "it is malformed",
        })?;
        if options.get_database().is_none() {
            return Err(LocationError::Url {
                rule: "it names no database",
            });
        }
        if names.contains(&"sslmode") {
            return Ok(Self(Box::new(options)));
        }
        let local = options.get_socket().is_some() || LOOPBACK.contains(&options.get_host());
        let mode = if local {
            PgSslMode::Prefer
        } else {
            PgSslMode::VerifyFull
        };
        Ok(Self(Box::new(options.ssl_mode(mode))))
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        (*self.0).clone()
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        Self::parse(text)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(PostgresUrl(options)) => {
                let database = options.get_database().unwrap_or_default();
                write!(
                    f,
                    "postgres://{}:{}/{database}",
                    options.get_host(),
                    options.get_port()
                )
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl(…)")
    }
}

/// What may stand in a URL's query. A misspelt `sslmode` must not pass for none.
const PARAMETERS: [&str; 11] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
];

const LOOPBACK: [&str; 4] = ["localhost", "127.0.0.1", "::1", "[::1]"];

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> PgSslMode {
        match Location::parse(url) {
            Ok(Location::Postgres(url)) => url.options().get_ssl_mode(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_url_without_a_word_on_tls_gets_a_verified_connection_unless_it_stays_on_the_machine() {
        assert!(matches!(
            mode("postgres://kr@db.example.com/roster"),
            PgSslMode::VerifyFull
        ));
        assert!(matches!(
            mode("postgres://kr@db.example.com/roster?sslmode=require"),
            PgSslMode::Require
        ));
        assert!(matches!(
            mode("postgresql://kr@127.0.0.1:5433/roster"),
            PgSslMode::Prefer
        ));
        assert!(matches!(
            mode("postgres://kr@[::1]/roster"),
            PgSslMode::Prefer
        ));
        assert!(matches!(
            mode("postgres:///roster?host=/run/postgresql"),
            PgSslMode::Prefer
        ));
        assert!(matches!(
            mode("postgres://kr@127.0.0.1/roster?host=db.example.com"),
            PgSslMode::VerifyFull
        ));
    }

    #[test]
    fn what_is_no_location_is_refused_and_never_repeated() {
        for text in [
            "",
            "sqlite:",
            "mysql://u:hunter2@db/x",
            "postgres://u:hunter2@db",
            "postgres://u:hunter2@db:99999/x",
            "postgres://u:hunter2@db/x?sslmod=disable",
            "postgres://u:hunter2@db/x?ssl=hunter2",
        ] {
            let message = Location::parse(text).unwrap_err().to_string();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_location_is_shown_without_its_password() {
        let location = Location::parse("postgres://kr:hunter2@db.example.com:5433/roster").unwrap();
        assert_eq!(
            location.to_string(),
            "postgres://db.example.com:5433/roster"
        );
        assert!(!format!("{location:?}").contains("hunter2"));
        assert_eq!(
            Location::parse("sqlite:/var/lib/x.db").unwrap().to_string(),
            "sqlite:/var/lib/x.db"
        );
    }
}
