//! What a key server keeps in memory of each host, so that one that asks whether anything changed costs no SQL.
//!
//! Read for all hosts at once, and then for those of which anything changed: one query for a write, however many hosts it
//! concerns.

use std::collections::{BTreeMap, BTreeSet};

use keyroster_keys::{GroupName, HostName};
use keyroster_roster::{HostId, HostState, Revision};
use sqlx::FromRow;

use crate::StoreError;
use crate::certificates::{CredentialRow, HostCredential};
use crate::db::{Record, statements, values};
use crate::host_groups::HostGroupMemberRow;
use crate::read::{Reader, Row};

/// How a host stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStanding {
    /// The host.
    pub id: HostId,
    /// Its name.
    pub name: HostName,
    /// Whether it is in the roster.
    pub state: HostState,
    /// What its certificates are judged by.
    pub credential: HostCredential,
    /// The newest revision that may have changed what it answers.
    pub changed: Revision,
    /// The newest of those that no [account](crate::AccountChange) tells.
    pub whole: Revision,
    /// Its host groups; `None` where they have not changed after the revision that was asked for.
    pub groups: Option<BTreeSet<GroupName>>,
    /// Whether there are grants for it alone.
    pub grants: OwnGrants,
}

/// Whether there are, or ever were, grants on a host itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnGrants {
    /// There are none: it answers like every host in the same host groups.
    None,
    /// There are some.
    Some,
}

statements! {
    STANDINGS = "select h.id, h.state, h.generation, h.issued_generation, h.previous_generation, h.rotated_at, \
        s.restored_at, h.name, h.changed_revision, h.whole_revision, \
        cast(case when exists (select 1 from grants g where g.host = h.id) then 1 else 0 end as bigint) as own_grants \
        from hosts h cross join roster_state s where h.standing_revision > $1 and s.id = 1";
    GROUPS = "select m.host_group, m.host from hosts h join host_group_members m on m.host = h.id \
        where h.whole_revision > $1";
}

impl Reader {
    /// How hosts stand of which anything changed after this revision, or how all of them do; removed ones too.
    pub async fn standings(
        &mut self,
        after: Option<Revision>,
    ) -> Result<Vec<HostStanding>, StoreError> {
        // No revision is lower than zero.
        let since = values![after.map_or(-1, Revision::as_i64)];
        let mut standings = self.tx.all::<StandingRow>(STANDINGS, since).await?;
        let has_moved = |standing: &HostStanding| Some(standing.whole) > after;
        if !standings.iter().any(has_moved) {
            return Ok(standings);
        }
        let mut groups: BTreeMap<HostId, BTreeSet<GroupName>> = BTreeMap::new();
        for (group, host) in self.tx.all::<HostGroupMemberRow>(GROUPS, since).await? {
            groups.entry(host).or_default().insert(group);
        }
        for standing in standings.iter_mut().filter(|standing| has_moved(standing)) {
            standing.groups = Some(groups.remove(&standing.id).unwrap_or_default());
        }
        Ok(standings)
    }
}

#[derive(FromRow)]
struct StandingRow {
    #[sqlx(flatten)]
    credential: CredentialRow,
    name: String,
    changed_revision: i64,
    whole_revision: i64,
    own_grants: i64,
}

impl Record for StandingRow {
    const TABLE: &'static str = "hosts";
    type Item = HostStanding;

    fn parse(self) -> Result<HostStanding, StoreError> {
        let (id, state) = (self.credential.id.clone(), self.credential.state.clone());
        let credential = self.credential.parse()?;
        let row = Row::new(Self::TABLE, &id);
        let revision = |column, number| row.value(column, Revision::try_from(number));
        Ok(HostStanding {
            id: row.value("id", HostId::parse(&id))?,
            name: row.value("name", HostName::parse(&self.name))?,
            state: row.word("state", &state, &crate::hosts::STATES)?,
            credential,
            changed: revision("changed_revision", self.changed_revision)?,
            whole: revision("whole_revision", self.whole_revision)?,
            groups: None,
            grants: match self.own_grants {
                0 => OwnGrants::None,
                _ => OwnGrants::Some,
            },
        })
    }
}
