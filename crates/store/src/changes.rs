//! Word of writes by other key servers on the same roster.
//!
//! A hint and no more: PostgreSQL tells it to whoever is connected at that moment, and a file of SQLite's tells nobody. Ask for
//! the state of the roster now and then, whatever is heard here.

use std::future::pending;

use keyroster_roster::Revision;
use sqlx::postgres::PgListener;

use crate::StoreError;
use crate::postgres;
use crate::store::Store;

/// Hears of writes, by this key server and by others.
pub struct Changes {
    listener: Option<PgListener>,
}

/// What was heard.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A write made this revision.
    Written(Revision),
    /// Something may have been missed: ask for the state of the roster.
    Resync,
}

impl Store {
    /// Begins to listen for writes. What was written before is not heard of.
    pub async fn changes(&self) -> Result<Changes, StoreError> {
        let listener = match self {
            Self::Sqlite(_) => None,
            Self::Postgres(pools) => Some(postgres::listen(pools).await?),
        };
        Ok(Changes { listener })
    }
}

impl Changes {
    /// Waits for the next write; for ever where no word of writes is spread.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database is out of reach: pause, then begin anew with [`Store::changes`].
    pub async fn next(&mut self) -> Result<Change, StoreError> {
        let Some(listener) = &mut self.listener else {
            return pending().await;
        };
        Ok(postgres::hear(listener)
            .await?
            .map_or(Change::Resync, Change::Written))
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Changes")
    }
}
