//! The list of revoked keys: those that no host may take from anybody, wherever it finds them.
//!
//! A key is on it when it was revoked, or when its owner, or the person who answers for that owner, is suspended or
//! terminated. Each key carries the revision with which it came to be on the list, and the roster carries when the list last
//! changed: so the list is read without a look at the other keys, what was added since some revision likewise, and a write
//! that leaves the list as it was is known to do so.
//!
//! Keys that were revoked in a roster whose place a restored one took are on it too, also where the restored one does not have them.

use keyroster_keys::{Fingerprint, Fingerprints, UserName};
use keyroster_roster::{Epoch, Revision};
use sqlx::FromRow;

use crate::StoreError;
use crate::db::{Record, statements, values};
use crate::error::{Object, corrupt};
use crate::read::{Reader, Row};
use crate::write::WriteTx;

/// Where the list of revoked keys stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevokedKeysState {
    /// The roster's epoch.
    pub epoch: Epoch,
    /// The roster's revision.
    pub revision: Revision,
    /// The newest revision that changed the list.
    pub changed: Revision,
    /// The newest revision that took a key off it. Whoever has the list of this revision or a later one lacks additions only.
    pub delisted: Revision,
}

/// The keys of a user, and of the services that the user answers for. The `+` keeps a planner without statistics from going
/// by the index of the list instead.
macro_rules! keys_of {
    ($listed:expr) => {
        concat!(
            "+k.listed_revision is ", $listed, " and k.user_name in \
             (select u.name from users u where u.name = $1 union select u.name from users u where u.owner = $1)"
        )
    };
}

/// Whether a key is to be on the list.
macro_rules! ended {
    () => {
        "(k.revoked_at is not null or exists (select 1 from users u left join users o on o.name = u.owner \
         where u.name = k.user_name and (u.state <> 'active' or o.state <> 'active')))"
    };
}

statements! {
    GET = "select epoch, revision, list_revision, delisted_revision from roster_state where id = 1";
    READ = "select fingerprint from keys where listed_revision > $1 \
        union select id from ended_before where kind = 'key' and revision > $1";
    LIST = concat!("update keys as k set listed_revision = $2 where ", keys_of!("null"), " and ", ended!());
    DELIST = concat!("update keys as k set listed_revision = null where ", keys_of!("not null"), " and not ", ended!());
    CHANGED = "update roster_state set list_revision = revision where id = 1";
    DELISTED = "update roster_state set list_revision = revision, delisted_revision = revision where id = 1";
}

impl Reader {
    /// Where the list of revoked keys stands.
    pub async fn revoked_keys_state(&mut self) -> Result<RevokedKeysState, StoreError> {
        self.tx
            .first::<StateRow>(GET, &[])
            .await?
            .ok_or(StoreError::NotFound {
                object: Object::Roster,
            })
    }

    /// The revoked keys; with a revision, those that came to be on the list after it.
    pub async fn revoked_keys(
        &mut self,
        after: Option<Revision>,
    ) -> Result<Fingerprints, StoreError> {
        let after = after.map_or(0, Revision::as_i64);
        let keys = self.tx.all::<ListedRow>(READ, values![after]).await?;
        Ok(keys.into_iter().collect())
    }
}

impl WriteTx {
    /// Brings the list up to date after a change of a user, or of a key of that user's.
    pub(crate) async fn relist(&mut self, user: &UserName) -> Result<(), StoreError> {
        let revision = self.revision().as_i64();
        let listed = self.execute(LIST, values![user, revision]).await?;
        let delisted = self.execute(DELIST, values![user]).await?;
        match (listed, delisted) {
            (0, 0) => Ok(()),
            (_, 0) => self.execute(CHANGED, &[]).await.map(drop),
            _ => self.execute(DELISTED, &[]).await.map(drop),
        }
    }
}

#[derive(FromRow)]
struct StateRow {
    epoch: i64,
    revision: i64,
    list_revision: i64,
    delisted_revision: i64,
}

impl Record for StateRow {
    const TABLE: &'static str = "roster_state";
    type Item = RevokedKeysState;

    fn parse(self) -> Result<RevokedKeysState, StoreError> {
        let wrong = |what: keyroster_roster::ModelError| corrupt(Self::TABLE, "the row", what);
        Ok(RevokedKeysState {
            epoch: Epoch::try_from(self.epoch).map_err(wrong)?,
            revision: Revision::try_from(self.revision).map_err(wrong)?,
            changed: Revision::try_from(self.list_revision).map_err(wrong)?,
            delisted: Revision::try_from(self.delisted_revision).map_err(wrong)?,
        })
    }
}

#[derive(FromRow)]
struct ListedRow {
    fingerprint: String,
}

impl Record for ListedRow {
    const TABLE: &'static str = "keys";
    type Item = Fingerprint;

    fn parse(self) -> Result<Fingerprint, StoreError> {
        let row = Row::new(Self::TABLE, &self.fingerprint);
        row.value("fingerprint", Fingerprint::parse(&self.fingerprint))
    }
}
