//! The store: open it, read from it, write to it.

use std::fmt;

use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;
use sqlx::{Database, Pool};

use keyroster_roster::{Actor, Timestamp};

use crate::db::{Tx, dispatch};
use crate::error::{Object, classify};
use crate::journal::Journal;
use crate::location::Location;
use crate::read::Reader;
use crate::state::RosterState;
use crate::write::Writer;
use crate::{StoreError, every_statement, migrate, postgres, sqlite};

/// A roster in a database. Cheap to clone: all clones share the connections.
#[derive(Clone)]
pub enum Store {
    /// In a file of SQLite's.
    Sqlite(Pools<Sqlite>),
    /// In a PostgreSQL database.
    Postgres(Pools<Postgres>),
}

/// The connections to one database.
pub struct Pools<D: Database> {
    pub(crate) writer: Pool<D>,
    pub(crate) readers: Pool<D>,
    /// What is written beside them.
    pub(crate) journal: Option<Journal>,
}

impl Store {
    /// Makes an empty roster where there is none.
    ///
    /// # Errors
    /// [`FileExists`](crate::LocationError::FileExists) or [`StoreError::AlreadyExists`] when there is something at that place.
    pub async fn create(location: &Location) -> Result<Self, StoreError> {
        if let Location::Sqlite(path) = location {
            sqlite::create_file(path)?;
        }
        let store = Self::connect(location).await?;
        if let Self::Postgres(pools) = &store
            && postgres::has_roster(pools).await?
        {
            return Err(StoreError::AlreadyExists {
                object: Object::Roster,
            });
        }
        store.migrate().await?;
        store.found().await?;
        Ok(store)
    }

    /// Opens a roster, and brings its schema up to date.
    ///
    /// # Errors
    /// [`NoFile`](crate::LocationError::NoFile) or [`StoreError::NotFound`] when there is none, [`StoreError::SchemaTooNew`] when a newer
    /// version was here before.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        if let Location::Sqlite(path) = location {
            sqlite::check_file(path)?;
        }
        let store = Self::connect(location).await?;
        if let Self::Postgres(pools) = &store
            && !postgres::has_roster(pools).await?
        {
            return Err(StoreError::NotFound {
                object: Object::Roster,
            });
        }
        store.migrate().await?;
        store.state().await?;
        store.check_statements().await?;
        Ok(store)
    }

    /// The same store, which keeps a revocation journal from now on.
    #[must_use]
    pub fn with_journal(mut self, journal: Journal) -> Self {
        dispatch!(&mut self, pools => pools.journal = Some(journal));
        self
    }

    /// The revocation journal that it keeps.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        dispatch!(self, pools => pools.journal.as_ref())
    }

    /// Begins to read: everything that the reader returns is of one moment. Readers never wait for writers.
    pub async fn read(&self) -> Result<Reader, StoreError> {
        let begun = match self {
            Self::Sqlite(pools) => pools.readers.begin().await.map(Tx::Sqlite),
            Self::Postgres(pools) => pools
                .readers
                .begin_with(BEGIN_POSTGRES_READ)
                .await
                .map(Tx::Postgres),
        };
        begun
            .map(|tx| Reader { tx })
            .map_err(|error| classify("begin to read", error))
    }

    /// Who writes, and when. Each verb of the writer is a transaction of its own, with its revision and its audit event.
    #[must_use]
    pub fn write(&self, actor: &Actor, now: Timestamp) -> Writer<'_> {
        Writer {
            store: self,
            actor: actor.clone(),
            now,
        }
    }

    /// Where the roster stands.
    pub async fn state(&self) -> Result<RosterState, StoreError> {
        self.read().await?.state().await
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.state().await.map(drop)
    }

    /// Has the database read every statement of this crate, without running any, as [`Store::open`] does. A schema that was
    /// changed by other means is found so before it matters.
    ///
    /// # Errors
    /// [`StoreError::Schema`] names the first statement that is refused.
    pub async fn check_statements(&self) -> Result<(), StoreError> {
        let mut reader = self.read().await?;
        for statement in every_statement() {
            reader
                .tx
                .prepare(statement)
                .await
                .map_err(refused_as_schema)?;
        }
        Ok(())
    }

    /// Ends all connections, after those who hold one have given it back.
    pub async fn close(&self) {
        dispatch!(self, pools => {
            pools.readers.close().await;
            pools.writer.close().await;
        });
    }

    async fn connect(location: &Location) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) => sqlite::connect(path).await.map(Self::Sqlite),
            Location::Postgres(url) => postgres::connect(url).await.map(Self::Postgres),
        }
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(pools) => migrate::sqlite(&pools.writer).await,
            Self::Postgres(pools) => migrate::postgres(&pools.writer).await,
        }
    }

    /// Begins a transaction that may write. SQLite would otherwise take its lock at the first write only, and refuse it to
    /// whoever has read before somebody else wrote.
    pub(crate) async fn begin_write(&self) -> Result<Tx, StoreError> {
        let begun = match self {
            Self::Sqlite(pools) => pools
                .writer
                .begin_with(BEGIN_SQLITE_WRITE)
                .await
                .map(Tx::Sqlite),
            Self::Postgres(pools) => pools.writer.begin().await.map(Tx::Postgres),
        };
        begun.map_err(|error| classify("begin to write", error))
    }
}

/// A statement that the database refuses before it runs is written for another schema.
fn refused_as_schema(error: StoreError) -> StoreError {
    match error {
        StoreError::Internal { doing, source } => StoreError::Schema {
            what: format!("{doing}: {source}"),
        },
        other => other,
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "Store::Sqlite",
            Self::Postgres(_) => "Store::Postgres",
        })
    }
}

impl<D: Database> Clone for Pools<D> {
    fn clone(&self) -> Self {
        Self {
            writer: self.writer.clone(),
            readers: self.readers.clone(),
            journal: self.journal.clone(),
        }
    }
}

impl<D: Database> fmt::Debug for Pools<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pools({})", D::NAME)
    }
}

pub(crate) const BEGIN_SQLITE_WRITE: &str = "begin immediate";
const BEGIN_POSTGRES_READ: &str = "begin transaction isolation level repeatable read, read only";
