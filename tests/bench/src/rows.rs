//! Generated rosters: rows by the thousand, the same for SQLite and PostgreSQL.
//!
//! Not through the store's verbs, each of which is a transaction with an audit event: three million keys would take an hour.
//! What is measured afterwards reads these tables as any other.

use std::error::Error;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use keyroster_roster::HostId;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

/// A connection to the roster of a key server that does not run yet.
pub enum Rows {
    /// A file.
    Sqlite(Box<SqliteConnection>),
    /// A database.
    Postgres(Box<PgConnection>),
}

/// A key that nobody has the private half of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedKey {
    /// The body, in base64.
    pub base64: String,
    /// The fingerprint, `SHA256:…`.
    pub fingerprint: String,
}

impl GeneratedKey {
    /// The key of this number, the same in every run.
    pub fn number(number: u64) -> Self {
        let mut blob = Vec::with_capacity(51);
        blob.extend_from_slice(b"\0\0\0\x0bssh-ed25519\0\0\0\x20");
        blob.extend_from_slice(&Sha256::digest(number.to_be_bytes()));
        let digest = STANDARD_NO_PAD.encode(Sha256::digest(&blob));
        Self {
            base64: STANDARD.encode(&blob),
            fingerprint: format!("SHA256:{digest}"),
        }
    }
}

/// The id of the host of this number.
pub fn host_id(number: u64) -> Result<HostId, Box<dyn Error>> {
    Ok(HostId::parse(&format!(
        "00000000-0000-7000-8000-{number:012x}"
    ))?)
}

impl Rows {
    /// Connects to the roster at this place: a path, or a `postgres://` URL.
    pub async fn open(place: &str) -> Result<Self, Box<dyn Error>> {
        if place.starts_with("postgres://") {
            return Ok(Self::Postgres(Box::new(
                PgConnection::connect(place).await?,
            )));
        }
        let url = format!("sqlite://{place}");
        Ok(Self::Sqlite(Box::new(
            SqliteConnection::connect(&url).await?,
        )))
    }

    /// Adds rows to a table; each is its values as SQL has them.
    pub async fn add(
        &mut self,
        table: &str,
        columns: &str,
        rows: impl Iterator<Item = String>,
    ) -> Result<(), Box<dyn Error>> {
        self.run("begin").await?;
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            let mut sql = format!("insert into {table} ({columns}) values ");
            for (index, row) in rows.by_ref().take(ROWS_AT_ONCE).enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(sql, "{comma}({row})")?;
            }
            self.run(&sql).await?;
        }
        self.run("commit").await
    }

    /// Runs statements.
    pub async fn run(&mut self, sql: &str) -> Result<(), Box<dyn Error>> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Self::Sqlite(connection) => sql.execute(connection.as_mut()).await.map(|_| ())?,
            Self::Postgres(connection) => sql.execute(connection.as_mut()).await.map(|_| ())?,
        }
        Ok(())
    }

    /// Has the database look at what was added.
    pub async fn finish(mut self) -> Result<(), Box<dyn Error>> {
        self.run("analyze").await?;
        match self {
            Self::Sqlite(connection) => connection.close().await?,
            Self::Postgres(connection) => connection.close().await?,
        }
        Ok(())
    }

    /// Adds hosts, numbered from 1, named `host-<number>`.
    pub async fn add_hosts(&mut self, hosts: u64) -> Result<(), Box<dyn Error>> {
        let row = |number| {
            host_id(number).map(|id| format!("'{id}','host-{number}','active',{BEGAN},1,1,1,1,1"))
        };
        let rows: Vec<String> = (1..=hosts).map(row).collect::<Result<_, _>>()?;
        let columns = "id, name, state, enrolled_at, generation, issued_generation, changed_revision, \
            whole_revision, standing_revision";
        self.add("hosts", columns, rows.into_iter()).await
    }

    /// Adds a host group in which a stale answer may serve for an hour.
    pub async fn add_host_groups(
        &mut self,
        names: impl Iterator<Item = String>,
    ) -> Result<(), Box<dyn Error>> {
        let rows = names.map(|name| format!("'{name}',30,3600,'grace'"));
        let columns = "name, max_staleness_s, grace_s, mode";
        self.add("host_groups", columns, rows).await
    }

    /// Adds users.
    pub async fn add_users(
        &mut self,
        names: impl Iterator<Item = String>,
    ) -> Result<(), Box<dyn Error>> {
        let rows = names.map(|name| format!("'{name}','person',null,'active',{BEGAN}"));
        self.add("users", "name, kind, owner, state, created_at", rows)
            .await
    }

    /// Adds keys, given by number and owner.
    pub async fn add_keys(
        &mut self,
        keys: impl Iterator<Item = (u64, String)>,
    ) -> Result<(), Box<dyn Error>> {
        let rows = keys.map(|(number, owner)| {
            let key = GeneratedKey::number(number);
            let (fingerprint, base64) = (key.fingerprint, key.base64);
            format!(
                "'{fingerprint}','{owner}','ssh-ed25519','{base64}','generated',{BEGAN},null,null"
            )
        });
        let columns =
            "fingerprint, user_name, algorithm, base64, label, added_at, expires_at, revoked_at";
        self.add("keys", columns, rows).await
    }

    /// Adds grants: to a user or a group, on a host or a host group.
    pub async fn add_grants(
        &mut self,
        grants: impl Iterator<Item = Granted>,
    ) -> Result<(), Box<dyn Error>> {
        let rows = grants.enumerate().map(|(number, granted)| {
            let account = granted.account.as_deref().unwrap_or("deploy");
            let who = format!("{},{}", or_null(granted.user), or_null(granted.group));
            let place = format!("{},{}", or_null(granted.host), or_null(granted.host_group));
            format!(
                "'00000000-0000-7000-9000-{number:012x}','allow',{who},'{account}',{place},\
                '[\"pty\"]',null,null,null,null,null,'bench',{BEGAN},null"
            )
        });
        let columns = "id, effect, user_name, group_name, account, host, host_group, options, command, from_ranges, \
            not_before, ends_at, reason, created_by, created_at, revoked_at";
        self.add("grants", columns, rows).await
    }
}

/// Who is granted something, and where.
#[derive(Debug, Clone, Default)]
pub struct Granted {
    /// A user, or
    pub user: Option<String>,
    /// a group of users,
    pub group: Option<String>,
    /// on a host, by id, or
    pub host: Option<String>,
    /// on a host group.
    pub host_group: Option<String>,
    /// The account; `deploy` when none is named.
    pub account: Option<String>,
}

fn or_null(text: Option<String>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| format!("'{text}'"))
}

/// When everything generated was made: long ago, in seconds since the Unix epoch.
const BEGAN: i64 = 1_700_000_000;
/// Rows in one statement.
const ROWS_AT_ONCE: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_one_that_the_roster_takes() {
        let key = GeneratedKey::number(7);
        let blob = keyroster_keys::KeyBlob::parse("ssh-ed25519", &key.base64).unwrap();
        assert_eq!(blob.fingerprint().to_string(), key.fingerprint);
        assert_ne!(key, GeneratedKey::number(8));
    }
}
