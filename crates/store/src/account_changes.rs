//! Which accounts of a host changed after a revision.
//!
//! Found by an index from the host and its host groups: one account among a hundred thousand costs what one among ten does.

use std::collections::BTreeMap;

use keyroster_keys::AccountName;
use keyroster_roster::{HostId, Revision, Timestamp};
use sqlx::FromRow;

use crate::StoreError;
use crate::db::{Record, statements, values};
use crate::read::{Reader, Row};

/// When the answers for an account of a host may last have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountChange {
    /// By which write.
    pub revision: Revision,
    /// When that was, by the clock of whoever wrote it.
    pub at: Timestamp,
}

statements! {
    CHANGES = "select c.account, c.revision, c.changed_at from account_changes c where c.revision > $2 and c.scope in (\
        select 'host/' || cast($1 as text) union all \
        select 'host-group/' || m.host_group from host_group_members m where m.host = $1)";
}

impl Reader {
    /// The accounts for which a host's answers may have changed after this revision, by the host groups that it is in now.
    /// An account without grants is one that is gone.
    pub async fn account_changes(
        &mut self,
        host: &HostId,
        after: Revision,
    ) -> Result<BTreeMap<AccountName, AccountChange>, StoreError> {
        let of_host = values![host, after.as_i64()];
        let mut changes: BTreeMap<AccountName, AccountChange> = BTreeMap::new();
        for (account, change) in self.tx.all::<ChangeRow>(CHANGES, of_host).await? {
            changes
                .entry(account)
                .and_modify(|known| *known = known.join(change))
                .or_insert(change);
        }
        Ok(changes)
    }
}

impl AccountChange {
    /// The newer revision, and the later moment.
    fn join(self, other: Self) -> Self {
        Self {
            revision: self.revision.max(other.revision),
            at: self.at.max(other.at),
        }
    }
}

#[derive(FromRow)]
struct ChangeRow {
    account: String,
    revision: i64,
    changed_at: i64,
}

impl Record for ChangeRow {
    const TABLE: &'static str = "account_changes";
    type Item = (AccountName, AccountChange);

    fn parse(self) -> Result<Self::Item, StoreError> {
        let row = Row::new(Self::TABLE, &self.account);
        let change = AccountChange {
            revision: row.value("revision", Revision::try_from(self.revision))?,
            at: Timestamp::from_unix(self.changed_at),
        };
        let account = row.value("account", AccountName::parse(&self.account))?;
        Ok((account, change))
    }
}
