//! The one row that every write begins with.

use keyroster_roster::{AuditHead, Epoch, EventHash, Revision};
use sqlx::FromRow;

use crate::StoreError;
use crate::db::{Record, Tx, statements, values};
use crate::error::{Object, corrupt};
use crate::read::Reader;
use crate::store::Store;

/// Where the roster stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RosterState {
    /// Raised when the database is restored from a backup.
    pub epoch: Epoch,
    /// Raised by every write.
    pub revision: Revision,
    /// The end of the audit log.
    pub head: AuditHead,
}

statements! {
    FOUND = "insert into roster_state (id, epoch, revision, audit_sequence, audit_hash) values (1, 1, 0, 0, $1)";
    GET = "select epoch, revision, audit_sequence, audit_hash from roster_state where id = 1";
    RAISE = "update roster_state set revision = revision + 1 where id = 1 \
        returning epoch, revision, audit_sequence, audit_hash";
    SET_HEAD = "update roster_state set audit_sequence = $1, audit_hash = $2 where id = 1";
}

impl Reader {
    /// Where the roster stands.
    pub async fn state(&mut self) -> Result<RosterState, StoreError> {
        self.tx
            .first::<StateRow>(GET, &[])
            .await?
            .ok_or(StoreError::NotFound {
                object: Object::Roster,
            })
    }
}

impl Store {
    /// Writes the row itself, in a roster that has nothing else yet.
    pub(crate) async fn found(&self) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        tx.execute(FOUND, values![&EventHash::ZERO.to_string()])
            .await?;
        tx.commit().await
    }
}

/// Raises the revision, and so takes the lock that all writers queue up at.
pub(crate) async fn raise(tx: &mut Tx) -> Result<RosterState, StoreError> {
    tx.first::<StateRow>(RAISE, &[])
        .await?
        .ok_or(StoreError::NotFound {
            object: Object::Roster,
        })
}

/// Writes down the end of the audit log, so that events missing at its end are missed.
pub(crate) async fn set_head(tx: &mut Tx, head: AuditHead) -> Result<(), StoreError> {
    tx.execute(
        SET_HEAD,
        values![head.sequence.cast_signed(), &head.hash.to_string()],
    )
    .await
    .map(drop)
}

#[derive(FromRow)]
struct StateRow {
    epoch: i64,
    revision: i64,
    audit_sequence: i64,
    audit_hash: String,
}

impl Record for StateRow {
    const TABLE: &'static str = "roster_state";
    type Item = RosterState;

    fn parse(self) -> Result<RosterState, StoreError> {
        let wrong = |what: &dyn std::fmt::Display| corrupt(Self::TABLE, "the row", what);
        Ok(RosterState {
            epoch: Epoch::try_from(self.epoch).map_err(|error| wrong(&error))?,
            revision: Revision::try_from(self.revision).map_err(|error| wrong(&error))?,
            head: AuditHead {
                sequence: u64::try_from(self.audit_sequence).map_err(|error| wrong(&error))?,
                hash: EventHash::parse(&self.audit_hash).map_err(|error| wrong(&error))?,
            },
        })
    }
}
