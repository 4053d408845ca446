//! A roster in one file.
//!
//! One connection writes and several read: SQLite has one writer at a time anyway, and a queue in this process is fair
//! where its busy loop is not. Other processes on the same file wait their turn in that loop.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use crate::StoreError;
use crate::location::LocationError;
use crate::store::Pools;

/// Makes an empty file that only its owner can read; SQLite gives its companion files the same mode.
pub(crate) fn create_file(path: &Path) -> Result<(), LocationError> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
    {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(LocationError::FileExists {
            path: path.to_owned(),
        }),
        Err(error) => Err(LocationError::File {
            path: path.to_owned(),
            what: error.to_string(),
        }),
    }
}

/// Refuses a file that is not there, or that others have access to.
pub(crate) fn check_file(path: &Path) -> Result<(), LocationError> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => LocationError::NoFile {
            path: path.to_owned(),
        },
        _ => LocationError::File {
            path: path.to_owned(),
            what: error.to_string(),
        },
    })?;
    let mode = metadata.permissions().mode() & PERMISSION_BITS;
    if mode & OTHERS_BITS == 0 {
        Ok(())
    } else {
        Err(LocationError::FileMode {
            path: path.to_owned(),
            mode,
        })
    }
}

pub(crate) async fn connect(path: &Path) -> Result<Pools<Sqlite>, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        // With less, a power cut could take back what was acknowledged: a revocation, for example.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // A schema that somebody tampered with must not run functions of its choice.
        .pragma("trusted_schema", "off")
        .disable_statement_logging();
    let pool = |connections| {
        PoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A file can't hang up, and asking whether it has costs as much as a query does.
            .test_before_acquire(false)
    };
    let writer = pool(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await
        .map_err(|error| crate::error::classify("connect", error))?;
    let readers = pool(READERS).connect_lazy_with(options.pragma("query_only", "on"));
    Ok(Pools {
        writer,
        readers,
        journal: None,
    })
}

/// Copies a roster as it stands at one moment, also while a key server writes to it. The copy is one file, with nothing beside
/// it that belongs to it.
pub(crate) async fn copy(from: &Path, to: &Path, as_it_is: ReadOnly) -> Result<(), StoreError> {
    create_file(to)?;
    let options = SqliteConnectOptions::new()
        .filename(from)
        .create_if_missing(false)
        .read_only(as_it_is == ReadOnly::Yes)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("trusted_schema", "off")
        .disable_statement_logging();
    let failed = |doing| move |error| crate::error::classify(doing, error);
    let mut connection = options.connect().await.map_err(failed("connect"))?;
    let target = to.to_string_lossy().into_owned();
    sqlx::query("vacuum into $1")
        .bind(target)
        .execute(&mut connection)
        .await
        .map_err(failed("copy the roster"))?;
    connection.close().await.map_err(failed("close"))?;
    let synced = fs::File::open(to).and_then(|file| file.sync_all());
    synced.map_err(|error| {
        StoreError::from(LocationError::File {
            path: to.to_owned(),
            what: error.to_string(),
        })
    })
}

/// What SQLite itself finds wrong with a file; nothing if it is sound.
pub(crate) async fn check(pools: &Pools<Sqlite>) -> Result<Option<String>, StoreError> {
    let (found,): (String,) = sqlx::query_as("pragma integrity_check(1)")
        .fetch_one(&pools.readers)
        .await
        .map_err(|error| crate::error::classify("check the file", error))?;
    Ok(Some(found).filter(|found| found != "ok"))
}

/// Whether a file that is copied may be written to: a database in use has companion files that each reader keeps in order,
/// and a backup may lie where nothing can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadOnly {
    Yes,
    No,
}

const FILE_MODE: u32 = 0o600;
const PERMISSION_BITS: u32 = 0o7777;
const OTHERS_BITS: u32 = 0o077;

/// Connections that read at the same time.
const READERS: u32 = 8;

/// How long a connection waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;

    async fn number(pool: &sqlx::Pool<Sqlite>, pragma: &'static str) -> i64 {
        sqlx::query(pragma).fetch_one(pool).await.unwrap().get(0)
    }

    #[tokio::test]
    async fn every_connection_is_durable_checks_references_and_trusts_no_schema() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("roster.db");
        create_file(&path).unwrap();
        let pools = connect(&path).await.unwrap();
        for pool in [&pools.writer, &pools.readers] {
            let mode: String = sqlx::query("pragma journal_mode")
                .fetch_one(pool)
                .await
                .unwrap()
                .get(0);
            assert_eq!(mode, "wal");
            assert_eq!(number(pool, "pragma synchronous").await, 2, "full");
            assert_eq!(number(pool, "pragma foreign_keys").await, 1);
            assert_eq!(number(pool, "pragma trusted_schema").await, 0);
            assert_eq!(number(pool, "pragma busy_timeout").await, 10_000);
        }
        assert_eq!(number(&pools.writer, "pragma query_only").await, 0);
        assert_eq!(number(&pools.readers, "pragma query_only").await, 1);
    }
}
