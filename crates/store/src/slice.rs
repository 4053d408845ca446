//! The slice of the roster that concerns one host.
//!
//! Read in one transaction, by queries that begin at the host and follow indexes: a host with ten grants costs the same in
//! a roster of ten hosts and in one of ten thousand. A part of the slice, for some of its accounts, costs what these do.

use std::collections::BTreeMap;

use keyroster_keys::{AccountName, GroupName, UserName};
use keyroster_roster::{Grant, Group, Host, HostGroup, HostId, Revision, Roster, Subject};
use sqlx::FromRow;

use crate::StoreError;
use crate::db::{Record, Statement, Value, statements, values};
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
    /// The newest revision that changed the settings of a host group that the host is in now.
    pub settings: Revision,
    /// A roster that decides for this host like the whole one; without revoked grants.
    pub roster: Roster,
}

/// The grants that hold on a host, or those of them for which the condition is true. As two queries, since neither database
/// uses both indexes for one with `or`.
macro_rules! on_host {
    ($columns:expr, $condition:expr) => {
        concat!(
            "select ",
            $columns,
            " from grants g where g.host = $1 and g.revoked_at is null",
            $condition,
            " union all select ",
            $columns,
            " from host_group_members m join grants g on g.host_group = m.host_group \
             where m.host = $1 and g.revoked_at is null",
            $condition
        )
    };
}

/// Whom those grants concern: users by name, by group, and the owners of services among them. Tables are looked up with
/// `in` rather than joined: a planner without statistics may begin a join at the larger end.
macro_rules! concerned {
    ($condition:expr) => {
        concat!(
            "with granted as (", on_host!("g.user_name, g.group_name", $condition), "), \
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

macro_rules! grants {
    ($condition:expr) => {
        on_host!(columns!(), $condition)
    };
}

macro_rules! groups {
    ($condition:expr) => {
        concat!("with granted as (", on_host!("g.group_name", $condition), ") \
            select n.name, m.user_name from groups n left join group_members m on m.group_name = n.name \
            where n.name in (select group_name from granted where group_name is not null)")
    };
}

macro_rules! users {
    ($condition:expr) => {
        concat!(
            concerned!($condition),
            "select u.name, u.kind, u.owner, u.state, u.created_at from users u \
            where u.name in (select name from concerned)"
        )
    };
}

macro_rules! keys {
    ($condition:expr, $which:expr) => {
        concat!(concerned!($condition), "select k.fingerprint, k.user_name, k.algorithm, k.base64, k.label, \
            k.added_at, k.expires_at, k.revoked_at from keys k where k.user_name in (select name from concerned)", $which)
    };
}

/// Of these accounts; there are [`ACCOUNTS_AT_ONCE`].
macro_rules! of_accounts {
    () => {
        " and g.account in ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
    };
}

statements! {
    HOST_GROUPS = "select h.name, h.max_staleness_s, h.grace_s, h.mode, h.end_sessions, h.settings_revision from host_groups h \
        where h.name in (select m.host_group from host_group_members m where m.host = $1)";
    GRANTS = grants!("");
    GROUPS = groups!("");
    USERS = users!("");
    KEYS = keys!("", "");
    GRANTS_OF_ACCOUNTS = grants!(of_accounts!());
    GROUPS_OF_ACCOUNTS = groups!(of_accounts!());
    USERS_OF_ACCOUNTS = users!(of_accounts!());
    // Nobody is let in by a revoked key, and a user may have many of them.
    KEYS_OF_ACCOUNTS = keys!(of_accounts!(), " and k.revoked_at is null");
}

/// What a slice is read by.
struct Queries {
    grants: Statement,
    groups: Statement,
    users: Statement,
    keys: Statement,
}

const OF_HOST: Queries = Queries {
    grants: GRANTS,
    groups: GROUPS,
    users: USERS,
    keys: KEYS,
};

const OF_ACCOUNTS: Queries = Queries {
    grants: GRANTS_OF_ACCOUNTS,
    groups: GROUPS_OF_ACCOUNTS,
    users: USERS_OF_ACCOUNTS,
    keys: KEYS_OF_ACCOUNTS,
};

impl Store {
    /// The slice that concerns one host; `None` if there never was such a host.
    pub async fn host_slice(&self, id: &HostId) -> Result<Option<HostSlice>, StoreError> {
        self.read().await?.host_slice(id).await
    }
}

impl Reader {
    /// The slice that concerns one host; `None` if there never was such a host.
    pub async fn host_slice(&mut self, id: &HostId) -> Result<Option<HostSlice>, StoreError> {
        let Some(mut slice) = self.empty_slice(id).await? else {
            return Ok(None);
        };
        self.fill(&mut slice.roster, &OF_HOST, values![id]).await?;
        Ok(Some(slice))
    }

    /// The part of the slice that concerns these accounts: it decides like the whole for them, and for no other.
    pub async fn host_slice_of(
        &mut self,
        id: &HostId,
        accounts: &[&AccountName],
    ) -> Result<Option<HostSlice>, StoreError> {
        let Some(mut slice) = self.empty_slice(id).await? else {
            return Ok(None);
        };
        for some in accounts.chunks(ACCOUNTS_AT_ONCE) {
            let mut values = vec![Value::from(id)];
            values.extend(some.iter().map(|account| Value::from(*account)));
            values.resize(1 + ACCOUNTS_AT_ONCE, Value::Text(None));
            self.fill(&mut slice.roster, &OF_ACCOUNTS, &values).await?;
        }
        Ok(Some(slice))
    }

    /// The host and its host groups, without grants.
    async fn empty_slice(&mut self, id: &HostId) -> Result<Option<HostSlice>, StoreError> {
        let state = self.state().await?;
        let Some(host) = self.host_alone(id).await? else {
            return Ok(None);
        };
        let found = self.tx.all::<SettingsRow>(HOST_GROUPS, values![id]).await?;
        let settings = found.iter().map(|(_, changed)| *changed).max();
        let host_groups: BTreeMap<_, _> = found
            .into_iter()
            .map(|(group, _)| (group.name.clone(), group))
            .collect();
        let host = Host {
            groups: host_groups.keys().cloned().collect(),
            ..host
        };
        let roster = Roster {
            hosts: BTreeMap::from([(host.id.clone(), host.clone())]),
            host_groups,
            ..Roster::default()
        };
        Ok(Some(HostSlice {
            state,
            host,
            settings: settings.unwrap_or(Revision::ZERO),
            roster,
        }))
    }

    async fn fill(
        &mut self,
        roster: &mut Roster,
        queries: &Queries,
        values: &[Value<'_>],
    ) -> Result<(), StoreError> {
        let grants = self.tx.all::<GrantRow>(queries.grants, values).await?;
        // A question less where no group is granted anything.
        let to_group = |grant: &Grant| matches!(grant.subject, Subject::Group(_));
        let groups = match grants.iter().any(to_group) {
            true => {
                self.tx
                    .all::<GroupMemberRow>(queries.groups, values)
                    .await?
            }
            false => Vec::new(),
        };
        let users = self.tx.all::<UserRow>(queries.users, values).await?;
        let keys = self.tx.all::<KeyRow>(queries.keys, values).await?;
        let grants = grants.into_iter().map(|grant| (grant.id.clone(), grant));
        roster.grants.extend(grants);
        roster.groups.extend(gather(groups));
        let users = users.into_iter().map(|user| (user.name.clone(), user));
        roster.users.extend(users);
        let keys = keys.into_iter().map(|key| (key.fingerprint, key));
        roster.keys.extend(keys);
        Ok(())
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

/// A host group, and the revision that last changed its settings.
#[derive(FromRow)]
struct SettingsRow {
    #[sqlx(flatten)]
    group: HostGroupRow,
    settings_revision: i64,
}

impl Record for SettingsRow {
    const TABLE: &'static str = "host_groups";
    type Item = (HostGroup, Revision);

    fn parse(self) -> Result<Self::Item, StoreError> {
        let (group, number) = (self.group.parse()?, self.settings_revision);
        let row = Row::new(Self::TABLE, group.name.as_str());
        let changed = row.value("settings_revision", Revision::try_from(number))?;
        Ok((group, changed))
    }
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

/// Accounts that one query asks for.
const ACCOUNTS_AT_ONCE: usize = 16;

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Row as _};

    use super::*;
    use crate::{
        Location, Store, account_changes, concerned, confirmations, receipt, revoked_keys,
        standings,
    };

    #[tokio::test]
    async fn no_query_reads_a_whole_table() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::create(&Location::sqlite(directory.path().join("roster.db")))
            .await
            .unwrap();
        let Store::Sqlite(pools) = &store else {
            panic!("not a file")
        };
        let others = [
            account_changes::STATEMENTS,
            concerned::STATEMENTS,
            confirmations::STATEMENTS,
            receipt::STATEMENTS,
            revoked_keys::STATEMENTS,
            standings::STATEMENTS,
        ];
        for statement in STATEMENTS.iter().chain(others.into_iter().flatten()) {
            let explain = AssertSqlSafe(format!("explain query plan {}", statement.sql));
            let plan = sqlx::query(explain)
                .bind("id")
                .fetch_all(&pools.readers)
                .await
                .unwrap();
            for step in plan.iter().map(|row| row.get::<String, _>("detail")) {
                // What an earlier step has gathered is of the size of the slice, and what hosts report of that of a batch.
                let gathered = [
                    "SCAN granted",
                    "SCAN subjects",
                    "SCAN concerned",
                    "SCAN r",
                    "SCAN t",
                ]
                .contains(&step.as_str())
                    || step.ends_with(" CONSTANT ROWS")
                    || step.ends_with(" CONSTANT ROW");
                assert!(
                    gathered || !step.starts_with("SCAN"),
                    "{}: {step}",
                    statement.name
                );
            }
        }
    }
}
