//! Host groups: named sets of hosts, with the bounds on staleness that hold there.

use std::collections::{BTreeMap, BTreeSet};

use keyroster_keys::{GroupName, HostName};
use keyroster_roster::{Freshness, FreshnessMode, HostGroup, HostGroupChange, HostId};
use serde_json::{Value as Json, json};
use sqlx::FromRow;

use crate::StoreError;
use crate::action::Action;
use crate::audit::Event;
use crate::concerned::{Concerned, Does, Marked};
use crate::db::{Record, Value, statements, values};
use crate::error::Object;
use crate::grants::GrantsOf;
use crate::page::{Limit, Page};
use crate::read::{Reader, Row};
use crate::state::RosterState;
use crate::write::{Outcome, WriteTx, Writer};

/// A host group and the active hosts in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostGroupWithHosts {
    /// The host group.
    pub group: HostGroup,
    /// The names of its hosts that are not removed.
    pub hosts: BTreeSet<HostName>,
}

statements! {
    ADD = "insert into host_groups (name, max_staleness_s, grace_s, mode, end_sessions) \
        values ($1, $2, $3, $4, $5)";
    GET = "select name, max_staleness_s, grace_s, mode, end_sessions from host_groups where name = $1";
    LIST = "select name, max_staleness_s, grace_s, mode, end_sessions from host_groups \
        where name > $1 order by name limit $2";
    HOSTS = "select m.host_group, h.name from host_group_members m join hosts h on h.id = m.host \
        where m.host_group >= $1 and m.host_group <= $2 and h.state = 'active'";
    IS_IN = "select host_group, host from host_group_members where host_group = $1 and host = $2";
    ADD_HOST = "insert into host_group_members (host_group, host) values ($1, $2)";
    REMOVE_HOST = "delete from host_group_members where host_group = $1 and host = $2";
    SET = "update host_groups set max_staleness_s = $2, grace_s = $3, mode = $4, end_sessions = $5 where name = $1";
    DELETE = "delete from host_groups where name = $1";
}

impl Reader {
    /// The host group of that name, with its hosts.
    pub async fn host_group(
        &mut self,
        name: &GroupName,
    ) -> Result<Option<HostGroupWithHosts>, StoreError> {
        let Some(group) = self.tx.first::<HostGroupRow>(GET, values![name]).await? else {
            return Ok(None);
        };
        Ok(self.with_hosts(vec![group]).await?.pop())
    }

    /// Host groups in order of name, with their hosts.
    pub async fn host_groups(
        &mut self,
        after: Option<&GroupName>,
        limit: Limit,
    ) -> Result<Page<HostGroupWithHosts, GroupName>, StoreError> {
        let after = after.map_or("", GroupName::as_str);
        let groups = self
            .tx
            .all::<HostGroupRow>(LIST, values![after, limit.and_one()])
            .await?;
        let page = Page::of(groups, limit, |group| group.name.clone());
        Ok(Page {
            items: self.with_hosts(page.items).await?,
            next: page.next,
        })
    }

    /// The hosts of all host groups from the first name to the last, in one query.
    async fn with_hosts(
        &mut self,
        groups: Vec<HostGroup>,
    ) -> Result<Vec<HostGroupWithHosts>, StoreError> {
        let (Some(first), Some(last)) = (groups.first(), groups.last()) else {
            return Ok(Vec::new());
        };
        let mut hosts: BTreeMap<GroupName, BTreeSet<HostName>> = BTreeMap::new();
        for (group, host) in self
            .tx
            .all::<HostRow>(HOSTS, values![&first.name, &last.name])
            .await?
        {
            hosts.entry(group).or_default().insert(host);
        }
        let with_hosts = |group: HostGroup| HostGroupWithHosts {
            hosts: hosts.remove(&group.name).unwrap_or_default(),
            group,
        };
        Ok(groups.into_iter().map(with_hosts).collect())
    }
}

impl Writer<'_> {
    /// Adds an empty host group.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`].
    pub async fn add_host_group(&self, group: &HostGroup) -> Result<RosterState, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::HostGroup(group.name.clone());
        if tx.read.host_group(&group.name).await?.is_some() {
            return Err(StoreError::AlreadyExists { object });
        }
        tx.execute(ADD, &columns(group)).await?;
        self.commit(
            tx,
            Event::new(Action::HostGroupAdd, &object, &told(group)),
            Marked::NO_HOST,
        )
        .await
    }

    /// Changes what holds in a host group.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_host_group(
        &self,
        name: &GroupName,
        change: impl Into<HostGroupChange>,
    ) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::HostGroup(name.clone());
        let before = tx.read.tx.first::<HostGroupRow>(GET, values![name]).await?;
        let before = before.ok_or_else(|| StoreError::NotFound {
            object: object.clone(),
        })?;
        let after = before.clone().changed(change.into());
        if after == before {
            return tx.unchanged().await;
        }
        tx.keep_freshness_of_group(name).await?;
        tx.execute(SET, &columns(&after)).await?;
        // Even a laxer bound is on a receipt: whoever changes it may wait until it holds everywhere.
        let marked = tx.mark(Concerned::Settings(name), Does::TakeAway).await?;
        let detail = json!({ "after": told(&after), "before": told(&before) });
        self.written(
            tx,
            Event::new(Action::HostGroupSet, &object, &detail),
            marked,
        )
        .await
    }

    /// Puts a host into a host group.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] about either; [`StoreError::Conflict`] for a removed host.
    pub async fn add_host_to_group(
        &self,
        name: &GroupName,
        host: &HostId,
    ) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let object = tx.host_group_object(name).await?;
        tx.active_host(host).await?;
        if tx
            .read
            .tx
            .first::<HostGroupMemberRow>(IS_IN, values![name, host])
            .await?
            .is_some()
        {
            return tx.unchanged().await;
        }
        tx.keep_freshness_of_host(host).await?;
        tx.add_to_host_group(name, host).await?;
        let marked = tx.mark(Concerned::Host(host), Does::TakeAway).await?;
        self.written(
            tx,
            Event::new(
                Action::HostGroupAddHost,
                &object,
                &json!({ "host": host.as_str() }),
            ),
            marked,
        )
        .await
    }

    /// Takes a host out of a host group.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] about either.
    pub async fn remove_host_from_group(
        &self,
        name: &GroupName,
        host: &HostId,
    ) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let object = tx.host_group_object(name).await?;
        if tx.read.host(host).await?.is_none() {
            return Err(StoreError::NotFound {
                object: Object::Host(host.clone()),
            });
        }
        tx.keep_freshness_of_host(host).await?;
        if tx.remove_from_host_group(name, host).await? == 0 {
            return tx.unchanged().await;
        }
        let marked = tx.mark(Concerned::Host(host), Does::TakeAway).await?;
        self.written(
            tx,
            Event::new(
                Action::HostGroupRemoveHost,
                &object,
                &json!({ "host": host.as_str() }),
            ),
            marked,
        )
        .await
    }

    /// Deletes a host group, its memberships, its enrolment tokens and its grants; the audit event names the grants.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] while a grant that denies is on the host group, since its end
    /// could let somebody in.
    pub async fn delete_host_group(&self, name: &GroupName) -> Result<RosterState, StoreError> {
        let mut tx = self.begin().await?;
        let object = tx.host_group_object(name).await?;
        let grants = tx
            .read
            .ending_with(&GrantsOf::HostGroup(name), &object)
            .await?;
        tx.keep_freshness_of_group(name).await?;
        let marked = tx.mark(Concerned::HostGroup(name), Does::TakeAway).await?;
        tx.execute(DELETE, values![name]).await?;
        self.commit(
            tx,
            Event::new(
                Action::HostGroupDelete,
                &object,
                &json!({ "grants": grants }),
            ),
            marked,
        )
        .await
    }
}

impl WriteTx {
    /// A host group that is there, by name.
    pub(crate) async fn host_group_object(
        &mut self,
        name: &GroupName,
    ) -> Result<Object, StoreError> {
        let object = Object::HostGroup(name.clone());
        match self
            .read
            .tx
            .first::<HostGroupRow>(GET, values![name])
            .await?
        {
            Some(_) => Ok(object),
            None => Err(StoreError::NotFound { object }),
        }
    }

    pub(crate) async fn remove_from_host_group(
        &mut self,
        name: &GroupName,
        host: &HostId,
    ) -> Result<u64, StoreError> {
        self.execute(REMOVE_HOST, values![name, host]).await
    }

    pub(crate) async fn add_to_host_group(
        &mut self,
        name: &GroupName,
        host: &HostId,
    ) -> Result<(), StoreError> {
        self.execute(ADD_HOST, values![name, host]).await.map(drop)
    }
}

/// The values of a row.
fn columns(group: &HostGroup) -> [Value<'_>; 5] {
    let freshness = group.freshness;
    [
        Value::from(&group.name),
        Value::from(i64::from(freshness.max_staleness_s())),
        Value::from(i64::from(freshness.grace_s())),
        Value::from(freshness.mode().as_str()),
        Value::from(i64::from(group.end_sessions)),
    ]
}

/// What holds in a host group, as an audit event tells it.
fn told(group: &HostGroup) -> Json {
    let freshness = group.freshness;
    json!({
        "end_sessions": group.end_sessions,
        "grace_s": freshness.grace_s(),
        "max_staleness_s": freshness.max_staleness_s(),
        "mode": freshness.mode().as_str(),
    })
}

#[derive(FromRow)]
pub(crate) struct HostGroupRow {
    name: String,
    max_staleness_s: i64,
    grace_s: i64,
    mode: String,
    end_sessions: i64,
}

impl Record for HostGroupRow {
    const TABLE: &'static str = "host_groups";
    type Item = HostGroup;

    fn parse(self) -> Result<HostGroup, StoreError> {
        let row = Row::new(Self::TABLE, &self.name);
        let max_staleness_s = row.value("max_staleness_s", u32::try_from(self.max_staleness_s))?;
        let grace_s = row.value("grace_s", u32::try_from(self.grace_s))?;
        let mode = row.word("mode", &self.mode, &MODES.map(|mode| (mode, mode.as_str())))?;
        Ok(HostGroup {
            name: row.value("name", GroupName::parse(&self.name))?,
            freshness: row.value("freshness", Freshness::new(max_staleness_s, grace_s, mode))?,
            end_sessions: row.value("end_sessions", flag(self.end_sessions))?,
        })
    }
}

#[derive(FromRow)]
pub(crate) struct HostGroupMemberRow {
    host_group: String,
    host: String,
}

impl Record for HostGroupMemberRow {
    const TABLE: &'static str = "host_group_members";
    type Item = (GroupName, HostId);

    fn parse(self) -> Result<Self::Item, StoreError> {
        let row = Row::new(Self::TABLE, &self.host_group);
        let group = row.value("host_group", GroupName::parse(&self.host_group))?;
        Ok((group, row.value("host", HostId::parse(&self.host))?))
    }
}

#[derive(FromRow)]
struct HostRow {
    host_group: String,
    name: String,
}

impl Record for HostRow {
    const TABLE: &'static str = "hosts";
    type Item = (GroupName, HostName);

    fn parse(self) -> Result<Self::Item, StoreError> {
        let row = Row::new(Self::TABLE, &self.name);
        let group = row.value("host_group", GroupName::parse(&self.host_group))?;
        Ok((group, row.value("name", HostName::parse(&self.name))?))
    }
}

/// Zero or one: the databases have no truth value in common.
fn flag(number: i64) -> Result<bool, &'static str> {
    match number {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err("it is neither 0 nor 1"),
    }
}

pub(crate) const MODES: [FreshnessMode; 2] = [FreshnessMode::Grace, FreshnessMode::Strict];
