//! What can go wrong, by what the caller should do about it.

use std::fmt;

use keyroster_keys::{Fingerprint, GroupName, HostName, UserName};
use keyroster_roster::{Actor, GrantId, HostId};
use thiserror::Error;

use crate::location::LocationError;
use crate::token_hash::TokenHash;

/// Why the store did not do what it was asked. Nothing was changed, except after a commit whose answer was lost
/// ([`StoreError::Unavailable`] from a write): read again to know.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such object: tell the client.
    #[error("there is no {object}")]
    NotFound {
        /// What was looked for.
        object: Object,
    },
    /// An object of this identity is there already: tell the client.
    #[error("{object} exists already")]
    AlreadyExists {
        /// What was to be added.
        object: Object,
    },
    /// A key has exactly one owner: tell the client, but not who that is.
    #[error("key \"{fingerprint}\" belongs to another user")]
    KeyOfAnotherUser {
        /// The key.
        fingerprint: Fingerprint,
    },
    /// The object's state does not allow this: tell the client the rule.
    #[error("{object} can't be changed so: {rule}")]
    Conflict {
        /// What was to be changed.
        object: Object,
        /// The rule in words.
        rule: &'static str,
    },
    /// The database can't answer now: answer "unavailable", and try again later.
    #[error("the database is out of reach ({doing})")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// The database's or the system's own words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row can't be read: somebody else wrote to the database. Refuse to decide, and raise an alarm.
    #[error("{id} in table \"{table}\" can't be read: {what}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// Which row, as far as it is known.
        id: String,
        /// What is wrong with it.
        what: String,
    },
    /// A newer version has migrated the database: start that version.
    #[error("the database has schema {found}, and this version knows schemas up to {known}")]
    SchemaTooNew {
        /// The newest schema of the database.
        found: i64,
        /// The newest schema of this program.
        known: i64,
    },
    /// The schema was changed by other means than our migrations: restore it.
    #[error("the database's schema can't be used: {what}")]
    Schema {
        /// What is wrong with it.
        what: String,
    },
    /// The database's file or address can't be used: mend the configuration.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The database refused a statement that it should take: a bug; log it.
    #[error("the database refused a statement ({doing})")]
    Internal {
        /// Which statement.
        doing: &'static str,
        /// The database's own words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What an error or an audit event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A user.
    User(UserName),
    /// A key.
    Key(Fingerprint),
    /// A group of users.
    Group(GroupName),
    /// A host by id.
    Host(HostId),
    /// A host by name.
    HostNamed(HostName),
    /// A host group.
    HostGroup(GroupName),
    /// A grant.
    Grant(GrantId),
    /// An enrolment token; by what its text hashes to, for the text is a secret.
    EnrolmentToken(TokenHash),
    /// A bearer token by name.
    BearerToken(Actor),
    /// The roster as a whole.
    Roster,
    /// A snapshot key.
    SnapshotKey(Fingerprint),
    /// A CA.
    Ca(Fingerprint),
}

impl Object {
    /// The identity alone, as audit events carry it.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::User(name) => name.to_string(),
            Self::Key(fingerprint) | Self::SnapshotKey(fingerprint) | Self::Ca(fingerprint) => {
                fingerprint.to_string()
            }
            Self::Group(name) | Self::HostGroup(name) => name.to_string(),
            Self::Host(id) => id.to_string(),
            Self::HostNamed(name) => name.to_string(),
            Self::Grant(id) => id.to_string(),
            Self::EnrolmentToken(hash) => hash.as_str().to_owned(),
            Self::BearerToken(name) => name.to_string(),
            Self::Roster => "roster".to_owned(),
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Key(_) => "key",
            Self::Group(_) => "group",
            Self::Host(_) | Self::HostNamed(_) => "host",
            Self::HostGroup(_) => "host group",
            Self::Grant(_) => "grant",
            Self::EnrolmentToken(_) => "enrolment token",
            Self::BearerToken(_) => "token",
            Self::Roster => "roster",
            Self::SnapshotKey(_) => "snapshot key",
            Self::Ca(_) => "CA",
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roster => f.write_str("roster in the database"),
            named => write!(f, "{} \"{}\"", named.kind(), named.id()),
        }
    }
}

/// Sorts an error of the database by what the caller should do.
pub(crate) fn classify(doing: &'static str, error: sqlx::Error) -> StoreError {
    let transient = match &error {
        sqlx::Error::Database(inner) => {
            match inner.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                Some(postgres) => postgres_is_transient(postgres.code()),
                None => sqlite_is_transient(inner.code().as_deref()),
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        _ => false,
    };
    let source = Box::new(error);
    if transient {
        StoreError::Unavailable { doing, source }
    } else {
        StoreError::Internal { doing, source }
    }
}

/// The same for a query of rows from `table`, where a value may be of a type that we never write.
pub(crate) fn undecodable(
    table: &'static str,
    doing: &'static str,
    error: sqlx::Error,
) -> StoreError {
    match error {
        sqlx::Error::ColumnDecode { index, source } => {
            corrupt(table, "a row", format!("column {index}: {source}"))
        }
        sqlx::Error::Decode(source) => corrupt(table, "a row", source.to_string()),
        other => classify(doing, other),
    }
}

/// A row that can't be read. The id may be anything, since it is from a database that somebody else wrote to.
pub(crate) fn corrupt(table: &'static str, id: &str, what: impl fmt::Display) -> StoreError {
    let printable = |text: &str| {
        let escaped = text
            .chars()
            .flat_map(char::escape_debug)
            .take(MAX_QUOTED_CHARS);
        escaped.collect::<String>()
    };
    StoreError::Corrupt {
        table,
        id: printable(id),
        what: printable(&what.to_string()),
    }
}

/// Connections, resources, interventions by the operator, locks, and a server that is read-only or damaged.
fn postgres_is_transient(code: &str) -> bool {
    TRANSIENT_POSTGRES_CODES
        .iter()
        .any(|class| code.starts_with(class))
}

/// The low byte of an extended result code is the primary one.
fn sqlite_is_transient(code: Option<&str>) -> bool {
    let code: Option<i32> = code.and_then(|code| code.parse().ok());
    code.is_some_and(|code| TRANSIENT_SQLITE_CODES.contains(&(code & 0xff)))
}

/// SQLSTATEs, or the classes of them: connection, read-only standby, authentication, missing database, rolled back,
/// resources, lock, operator, system, configuration, damage.
const TRANSIENT_POSTGRES_CODES: [&str; 11] = [
    "08", "25006", "28", "3D000", "40", "53", "55", "57", "58", "F0", "XX",
];

/// Locks, memory, disk, and a file that is damaged or no database.
const TRANSIENT_SQLITE_CODES: [i32; 10] = [
    SQLITE_BUSY,
    SQLITE_LOCKED,
    SQLITE_NOMEM,
    SQLITE_READONLY,
    SQLITE_INTERRUPT,
    SQLITE_IOERR,
    SQLITE_CORRUPT,
    SQLITE_FULL,
    SQLITE_CANTOPEN,
    SQLITE_NOTADB,
];

const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_NOMEM: i32 = 7;
const SQLITE_READONLY: i32 = 8;
const SQLITE_INTERRUPT: i32 = 9;
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_CANTOPEN: i32 = 14;
const SQLITE_NOTADB: i32 = 26;

/// Characters of a stored value that a message quotes.
const MAX_QUOTED_CHARS: usize = 128;
