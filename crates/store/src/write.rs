//! Writing: each verb is one transaction, which begins by raising the revision and ends with its audit event.
//!
//! The raise comes first because it takes the lock that all writers queue up at: what is read after it can't change before
//! the commit, so a verb checks and then writes without a race, on both databases, and no error message of a database has
//! to be understood. There is no way to commit but with an event, and with an answer to which hosts it concerns.

use std::fmt;

use keyroster_roster::{Actor, Revision, Timestamp};

use crate::StoreError;
use crate::audit::{self, Event};
use crate::concerned::Marked;
use crate::db::{Statement, Tx, Value};
use crate::journal::When;
use crate::postgres;
use crate::read::Reader;
use crate::state::{self, RosterState};
use crate::store::Store;

/// Writes, as somebody at a moment. Its verbs stand with their nouns.
#[derive(Clone)]
pub struct Writer<'a> {
    pub(crate) store: &'a Store,
    pub(crate) actor: Actor,
    pub(crate) now: Timestamp,
}

/// What became of a change that may have been made already.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was made.
    Written(RosterState),
    /// It had been made before: nothing was written, and the roster stands where it stood.
    Unchanged(RosterState),
}

impl Outcome {
    /// Where the roster stands: the change is in it, either way.
    #[must_use]
    pub const fn state(self) -> RosterState {
        match self {
            Self::Written(state) | Self::Unchanged(state) => state,
        }
    }
}

impl Writer<'_> {
    /// Begins a transaction, and raises the revision in it.
    pub(crate) async fn begin(&self) -> Result<WriteTx, StoreError> {
        let mut tx = self.store.begin_write().await?;
        let state = state::raise(&mut tx).await?;
        Ok(WriteTx {
            read: Reader { tx },
            state,
            now: self.now,
        })
    }

    /// Ends a transaction with its event, after the hosts that it concerns were marked.
    pub(crate) async fn commit(
        &self,
        mut tx: WriteTx,
        event: Event,
        _marked: Marked,
    ) -> Result<RosterState, StoreError> {
        let weight = event.weight;
        let event = audit::append(&mut tx.read.tx, &tx.state, &self.actor, self.now, event).await?;
        if let Tx::Postgres(tx) = &mut tx.read.tx {
            postgres::notify(tx, event.revision).await?;
        }
        if let (When::Always, Some(journal)) = (weight.before(), self.store.journal()) {
            journal.intend(tx.state.epoch, &event).await;
        }
        tx.read.tx.commit().await?;
        let head = event.head();
        Ok(RosterState { head, ..tx.state })
    }

    /// The same, for a verb with an outcome.
    pub(crate) async fn written(
        &self,
        tx: WriteTx,
        event: Event,
        marked: Marked,
    ) -> Result<Outcome, StoreError> {
        self.commit(tx, event, marked).await.map(Outcome::Written)
    }
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} at {})", self.actor, self.now)
    }
}

/// A transaction that has raised the revision. Dropped, it leaves nothing behind.
pub(crate) struct WriteTx {
    pub read: Reader,
    /// The state that it makes, with the head before it.
    state: RosterState,
    /// When it is written.
    pub now: Timestamp,
}

impl WriteTx {
    /// The revision that it makes.
    pub const fn revision(&self) -> Revision {
        self.state.revision
    }

    pub async fn execute(
        &mut self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        self.read.tx.execute(statement, values).await
    }

    /// Adds an event; for the next one in the same transaction the revision is [raised again](Self::raise_again).
    pub async fn record(&mut self, actor: &Actor, event: Event) -> Result<(), StoreError> {
        audit::append(&mut self.read.tx, &self.state, actor, self.now, event)
            .await
            .map(drop)
    }

    pub async fn raise_again(&mut self) -> Result<(), StoreError> {
        self.state = state::raise(&mut self.read.tx).await?;
        Ok(())
    }

    /// Commits what was recorded. For what the revocation journal need not be told of: it knows of it already, or nobody's access is
    /// changed.
    pub async fn commit_recorded(mut self) -> Result<(), StoreError> {
        let revision = self.revision();
        if let Tx::Postgres(tx) = &mut self.read.tx {
            postgres::notify(tx, revision).await?;
        }
        self.read.tx.commit().await
    }

    /// Gives up, because there is nothing to change.
    pub async fn unchanged(self) -> Result<Outcome, StoreError> {
        let state = self.state_before();
        self.read.tx.rollback().await?;
        Ok(Outcome::Unchanged(state))
    }

    fn state_before(&self) -> RosterState {
        let before = Revision::new(self.state.revision.get().saturating_sub(1));
        RosterState {
            revision: before.unwrap_or(self.state.revision),
            ..self.state
        }
    }
}
