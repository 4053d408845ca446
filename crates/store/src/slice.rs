//! The slice of the roster that concerns one host.
//!
//! Read in one transaction, by queries that begin at the host and follow indexes: a host with ten grants costs the same in
//! a roster of ten hosts and in one of ten thousand.

use std::collections::BTreeMap;

use keyroster_keys::{GroupName, UserName};
use keyroster_roster::{Group, Host, HostId, Roster};
use sqlx::FromRow;

use crate::StoreError;
use crate::db::{Record, statements, values};
use crate::grants::{GrantRow, columns};
use crate::host_groups::HostGroupRow;
use crate::keys::KeyRow;
use crate::read::{Reader, Row};
use crate::state::RosterState;
use crate::store::Store;
use crate::users::UserRow;

/// What one host's snapshot is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSlice {
    /// Where the roster stood.
    pub state: RosterState,
    /// The host, removed or not.
    pub host: Host,
    /// A roster that decides for this host like the whole one; without revoked grants.
    pub roster: Roster,
}

/// The grants that hold on a host. As two queries, since neither database uses both indexes for one with `or`.
macro_rules! on_host {
    ($columns:expr) => {
        concat!(
            "select ",
            $columns,
            " from grants g where g.host = $1 and g.revoked_at is null union all select ",
            $columns,
            " from host_group_members m join grants g on g.host_group = m.host_group \
             where m.host = $1 and g.revoked_at is null"
        )
    };
}

/// Whom those grants concern: users by name, by group, and the owners of services among them. Tables are looked up with
/// `in` rather than joined: a planner without statistics may begin a join at the larger end.
macro_rules! concerned {
    () => {
        concat!(
            "with granted as (", on_host!("g.user_name, g.group_name"), "), \
             subjects as (\
                select user_name as name from granted where user_name is not null \
                union select m.user_name from group_members m \
                    where m.group_name in (select group_name from granted where group_name is not null)), \
             concerned as (\
                select name from subjects \
                union select u.owner from users u \
                    where u.name in (select name from subjects) and u.owner is not null) "
        )
    };
}

statements! {
    HOST_GROUPS = "select h.name, h.max_staleness_s, h.grace_s, h.mode, h.end_sessions from host_groups h \
        where h.name in (select m.host_group from host_group_members m where m.host = $1)";
    GRANTS = on_host!(columns!());
    GROUPS = concat!("with granted as (", on_host!("g.group_name"), ") \
        select n.name, m.user_name from groups n left join group_members m on m.group_name = n.name \
        where n.name in (select group_name from granted where group_name is not null)");
    USERS = concat!(concerned!(), "select u.name, u.kind, u.owner, u.state, u.created_at from users u \
        where u.name in (select name from concerned)");
    KEYS = concat!(concerned!(), "select k.fingerprint, k.user_name, k.algorithm, k.base64, k.label, \
        k.added_at, k.expires_at, k.revoked_at from keys k where k.user_name in (select name from concerned)");
}

impl Store {
    /// The slice that concerns one host; `None` if there never was such a host.
    pub async fn host_slice(&self, id: &HostId) -> Result<Option<HostSlice>, StoreError> {
        self.read().await?.host_slice(id).await
    }
}

impl Reader {
    /// The slice that concerns one host; `None` if there never was such a host.
    pub async fn host_slice(&mut self, id: &HostId) -> Result<Option<HostSlice>, StoreError> {
        let state = self.state().await?;
        let Some(host) = self.host(id).await? else {
            return Ok(None);
        };
        let of_host = values![id];
        let host_groups = self.tx.all::<HostGroupRow>(HOST_GROUPS, of_host).await?;
        let grants = self.tx.all::<GrantRow>(GRANTS, of_host).await?;
        let groups = self.tx.all::<GroupMemberRow>(GROUPS, of_host).await?;
        let users = self.tx.all::<UserRow>(USERS, of_host).await?;
        let keys = self.tx.all::<KeyRow>(KEYS, of_host).await?;
        let roster = Roster {
            users: users
                .into_iter()
                .map(|user| (user.name.clone(), user))
                .collect(),
            keys: keys.into_iter().map(|key| (key.fingerprint, key)).collect(),
            groups: gather(groups),
            hosts: BTreeMap::from([(host.id.clone(), host.clone())]),
            host_groups: host_groups
                .into_iter()
                .map(|group| (group.name.clone(), group))
                .collect(),
            grants: grants
                .into_iter()
                .map(|grant| (grant.id.clone(), grant))
                .collect(),
        };
        Ok(Some(HostSlice {
            state,
            host,
            roster,
        }))
    }
}

fn gather(rows: Vec<(GroupName, Option<UserName>)>) -> BTreeMap<GroupName, Group> {
    let mut groups = BTreeMap::new();
    for (name, member) in rows {
        let empty = || Group {
            name: name.clone(),
            members: Default::default(),
        };
        groups
            .entry(name.clone())
            .or_insert_with(empty)
            .members
            .extend(member);
    }
    groups
}

/// A group with one of its members, or with none if it is empty.
#[derive(FromRow)]
struct GroupMemberRow {
    name: String,
    user_name: Option<String>,
}

impl Record for GroupMemberRow {
    const TABLE: &'static str = "group_members";
    type Item = (GroupName, Option<UserName>);

    fn parse(self) -> Result<Self::Item, StoreError> {
        let row = Row::new(Self::TABLE, &self.name);
        let member = row.optional("user_name", self.user_name.as_deref(), UserName::parse)?;
        Ok((row.value("name", GroupName::parse(&self.name))?, member))
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Row as _};

    use super::*;
    use crate::{Location, Store, concerned, receipt, revoked_keys};

    #[tokio::test]
    async fn no_query_reads_a_whole_table() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::create(&Location::sqlite(directory.path().join("roster.db")))
            .await
            .unwrap();
        let Store::Sqlite(pools) = &store else {
            panic!("not a file")
        };
        let others = concerned::STATEMENTS
            .iter()
            .chain(receipt::STATEMENTS)
            .chain(revoked_keys::STATEMENTS);
        for statement in STATEMENTS.iter().chain(others) {
            let explain = AssertSqlSafe(format!("explain query plan {}", statement.sql));
            let plan = sqlx::query(explain)
                .bind("id")
                .fetch_all(&pools.readers)
                .await
                .unwrap();
            for step in plan.iter().map(|row| row.get::<String, _>("detail")) {
                // What an earlier step has gathered is of the size of the slice.
                let gathered =
                    ["SCAN granted", "SCAN subjects", "SCAN concerned"].contains(&step.as_str());
                assert!(
                    gathered || !step.starts_with("SCAN"),
                    "{}: {step}",
                    statement.name
                );
            }
        }
    }
}
