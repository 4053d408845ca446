//! After a restore: the epoch rises, and what was taken away since the backup is taken away again.
//!
//! One transaction, so that no key server ever shows the roster of the backup under an epoch that hosts believe. Each thing
//! that is done is an event of its own, with a revision of its own, as if somebody had done it by hand.
//!
//! A replay only ever takes away. Of what can do either (a membership, which a grant may allow or deny something to) it
//! does what keeps people out.

mod groups;
mod replay;

use keyroster_roster::{Epoch, Timestamp};
use serde_json::json;

use crate::StoreError;
use crate::action::Action;
use crate::db::{statements, values};
use crate::error::Object;
use crate::journal::{JournalRecord, Standing};
use crate::read::Reader;
use crate::state::RosterState;
use crate::write::Writer;
use replay::Replay;

/// Whether a restore is meant.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreMode {
    /// It is.
    Commit,
    /// Only what it would do is to be told.
    DryRun,
}

/// What a restore did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the roster stood in the database.
    pub before: RosterState,
    /// Where it stands now.
    pub after: RosterState,
    /// What was alive again and was ended again, in order.
    pub done: Vec<Redone>,
    /// What could not be redone, in words: somebody has to look at it.
    pub open: Vec<String>,
    /// How many enrolment tokens that were still good were ended.
    pub enrolment_tokens: u64,
}

/// One thing that was done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redone {
    /// What was done.
    pub action: Action,
    /// To what.
    pub object: Object,
    /// About it, in a few words.
    pub about: String,
}

/// What may not be added again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Key,
    User,
}

statements! {
    // The list of revoked keys is another one than hosts have: they must not take this one for an addition to theirs.
    RAISE_EPOCH = "update roster_state set epoch = $1, restored_at = $2, list_revision = revision, \
        delisted_revision = revision where id = 1";
    // They live an hour, and some were used after the backup was made.
    END_ENROLMENT_TOKENS = "update enrolment_tokens set expires_at = $1 where used_at is null and expires_at > $1";
    ADD_ENDED = "insert into ended_before (kind, id, revision) values ($1, $2, $3) on conflict (kind, id) do nothing";
    MARK_ALL_HOSTS = "update hosts set changed_revision = $1, standing_revision = $1, whole_revision = $1 where state = 'active'";
    CHANGE_LIST = "update roster_state set list_revision = revision where id = 1";
    COUNT_ENDED = "select count(*) as number from ended_before where kind = $1 and id = $2";
}

impl Writer<'_> {
    /// Makes a database that was restored from a backup fit to be served: raises the epoch above every one that the
    /// journals know, and replays them.
    ///
    /// # Errors
    /// When the database does not answer, or can't be read; nothing was changed then.
    pub async fn restore(
        &self,
        records: Vec<JournalRecord>,
        mode: RestoreMode,
    ) -> Result<Restored, StoreError> {
        let before = self.store.state().await?;
        let known = records.iter().map(JournalRecord::epoch).max();
        let highest = known.unwrap_or(before.epoch).max(before.epoch);
        let epoch = Epoch::new(highest.get().saturating_add(1));
        let epoch = epoch.map_err(|_| StoreError::Conflict {
            object: Object::Roster,
            rule: "there is no higher epoch",
        })?;
        let mut replay = Replay::begin(self).await?;
        replay.raise_epoch(epoch, before, &records).await?;
        let mut standing = Standing::default();
        for record in records {
            standing.join(record.standing);
        }
        replay.all(&standing).await?;
        replay.finish(before, mode).await
    }
}

impl Reader {
    /// Whether something was ended for good before the roster was restored, and is not in it.
    pub(crate) async fn was_ended_before(
        &mut self,
        kind: Ended,
        id: &str,
    ) -> Result<Found, StoreError> {
        let rows = self
            .tx
            .all::<CountRow>(COUNT_ENDED, values![kind.as_str(), id])
            .await?;
        Ok(match rows.first() {
            Some(0) | None => Found::No,
            Some(_) => Found::Yes,
        })
    }
}

/// Whether there is a row.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Yes,
    No,
}

impl Replay<'_> {
    async fn raise_epoch(
        &mut self,
        epoch: Epoch,
        before: RosterState,
        records: &[JournalRecord],
    ) -> Result<(), StoreError> {
        let now = self.tx.now;
        self.tx
            .execute(RAISE_EPOCH, values![epoch.as_i64(), now])
            .await?;
        self.enrolment_tokens = self.tx.execute(END_ENROLMENT_TOKENS, values![now]).await?;
        let journals: Vec<_> = records
            .iter()
            .map(|record| {
                let newest = record.newest().map(|moment: Timestamp| moment.to_string());
                json!({ "entries": record.entries(), "newest": newest })
            })
            .collect();
        let detail = json!({
            "enrolment_tokens_ended": self.enrolment_tokens,
            "epoch": epoch.get(),
            "from_epoch": before.epoch.get(),
            "from_revision": before.revision.get(),
            "journals": journals,
        });
        self.record(Action::RosterRestore, &Object::Roster, &detail)
            .await
    }

    /// Remembers what is not in the roster, so that it can't be added; a key is on the list of revoked keys all the same.
    async fn remember(&mut self, kind: Ended, id: &str) -> Result<(), StoreError> {
        let revision = self.tx.revision().as_i64();
        let row = values![kind.as_str(), id, revision];
        self.tx.execute(ADD_ENDED, row).await?;
        self.tx.execute(CHANGE_LIST, &[]).await.map(drop)
    }

    async fn finish(
        mut self,
        before: RosterState,
        mode: RestoreMode,
    ) -> Result<Restored, StoreError> {
        let revision = self.tx.revision().as_i64();
        self.tx.execute(MARK_ALL_HOSTS, values![revision]).await?;
        let after = self.tx.read.state().await?;
        let Self {
            tx,
            done,
            open,
            enrolment_tokens,
            ..
        } = self;
        match mode {
            RestoreMode::Commit => tx.commit_recorded().await?,
            RestoreMode::DryRun => tx.read.tx.rollback().await?,
        }
        Ok(Restored {
            before,
            after,
            done,
            open,
            enrolment_tokens,
        })
    }
}

impl Ended {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::User => "user",
        }
    }
}

#[derive(sqlx::FromRow)]
struct CountRow {
    number: i64,
}

impl crate::db::Record for CountRow {
    const TABLE: &'static str = "ended_before";
    type Item = i64;

    fn parse(self) -> Result<i64, StoreError> {
        Ok(self.number)
    }
}
