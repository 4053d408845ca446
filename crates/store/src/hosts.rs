//! Hosts. Never deleted: one that enrols again under its old name is another host, with another id.

use std::collections::{BTreeMap, BTreeSet};

use keyroster_keys::{GroupName, HostName};
use keyroster_roster::{Host, HostId, HostState, Timestamp};
use serde_json::json;
use sqlx::FromRow;

use crate::StoreError;
use crate::action::Action;
use crate::audit::Event;
use crate::concerned::{Concerned, Does, Marked};
use crate::db::{Record, statements, values};
use crate::error::Object;
use crate::host_groups::HostGroupMemberRow;
use crate::page::{Limit, Page};
use crate::read::{Reader, Row};
use crate::write::{Outcome, WriteTx, Writer};

statements! {
    ADD = "insert into hosts (id, name, state, enrolled_at, generation, issued_generation) \
        values ($1, $2, 'active', $3, 1, 1)";
    ADD_REMOVED = "insert into hosts (id, name, state, enrolled_at, removed_at, generation, issued_generation) \
        values ($1, $2, 'removed', $3, $3, 1, 1)";
    GET = "select id, name, state, enrolled_at from hosts where id = $1";
    GET_ACTIVE_BY_NAME = "select id, name, state, enrolled_at from hosts where name = $1 and state = 'active'";
    LIST = "select id, name, state, enrolled_at from hosts where id > $1 order by id limit $2";
    GROUPS = "select host_group, host from host_group_members where host >= $1 and host <= $2";
    REMOVE = "update hosts set state = 'removed', removed_at = $2 where id = $1";
}

impl Reader {
    /// The host with that id, removed or not.
    pub async fn host(&mut self, id: &HostId) -> Result<Option<Host>, StoreError> {
        let host = self.host_alone(id).await?;
        Ok(self.with_groups(host.into_iter().collect()).await?.pop())
    }

    /// The same, without its host groups.
    pub(crate) async fn host_alone(&mut self, id: &HostId) -> Result<Option<Host>, StoreError> {
        self.tx.first::<HostRow>(GET, values![id]).await
    }

    /// The active host of that name.
    pub async fn host_named(&mut self, name: &HostName) -> Result<Option<Host>, StoreError> {
        let host = self
            .tx
            .first::<HostRow>(GET_ACTIVE_BY_NAME, values![name])
            .await?;
        Ok(self.with_groups(host.into_iter().collect()).await?.pop())
    }

    /// Hosts in order of id, and so of enrolment; removed ones too.
    pub async fn hosts(
        &mut self,
        after: Option<&HostId>,
        limit: Limit,
    ) -> Result<Page<Host, HostId>, StoreError> {
        let after = after.map_or("", HostId::as_str);
        let hosts = self
            .tx
            .all::<HostRow>(LIST, values![after, limit.and_one()])
            .await?;
        let page = Page::of(hosts, limit, |host| host.id.clone());
        Ok(Page {
            items: self.with_groups(page.items).await?,
            next: page.next,
        })
    }

    /// The host groups of all hosts from the first id to the last, in one query.
    async fn with_groups(&mut self, mut hosts: Vec<Host>) -> Result<Vec<Host>, StoreError> {
        let (Some(first), Some(last)) = (hosts.first(), hosts.last()) else {
            return Ok(hosts);
        };
        let mut groups: BTreeMap<HostId, BTreeSet<GroupName>> = BTreeMap::new();
        for (group, host) in self
            .tx
            .all::<HostGroupMemberRow>(GROUPS, values![&first.id, &last.id])
            .await?
        {
            groups.entry(host).or_default().insert(group);
        }
        for host in &mut hosts {
            host.groups = groups.remove(&host.id).unwrap_or_default();
        }
        Ok(hosts)
    }
}

impl Writer<'_> {
    /// Removes a host: nobody logs in through it any more, and its name is free.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn remove_host(&self, id: &HostId) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::Host(id.clone());
        let host = tx
            .read
            .host(id)
            .await?
            .ok_or_else(|| StoreError::NotFound {
                object: object.clone(),
            })?;
        if host.state == HostState::Removed {
            return tx.unchanged().await;
        }
        let marked = tx.remove_host_row(id).await?;
        self.written(
            tx,
            Event::new(
                Action::HostRemove,
                &object,
                &json!({ "name": host.name.as_str() }),
            ),
            marked,
        )
        .await
    }
}

impl WriteTx {
    /// A host that something can still be given to.
    pub(crate) async fn active_host(&mut self, id: &HostId) -> Result<Host, StoreError> {
        let object = Object::Host(id.clone());
        match self.read.host(id).await? {
            None => Err(StoreError::NotFound { object }),
            Some(host) if host.state == HostState::Removed => Err(StoreError::Conflict {
                object,
                rule: "the host is removed",
            }),
            Some(host) => Ok(host),
        }
    }

    pub(crate) async fn add_host_row(
        &mut self,
        id: &HostId,
        name: &HostName,
    ) -> Result<Marked, StoreError> {
        self.execute(ADD, values![id, name, self.now]).await?;
        self.mark(Concerned::Host(id), Does::OnlyGive).await
    }

    /// A host that is known to be out.
    pub(crate) async fn add_removed_host_row(
        &mut self,
        id: &HostId,
        name: &HostName,
    ) -> Result<(), StoreError> {
        self.execute(ADD_REMOVED, values![id, name, self.now])
            .await
            .map(drop)
    }

    pub(crate) async fn remove_host_row(&mut self, id: &HostId) -> Result<Marked, StoreError> {
        let marked = self.mark(Concerned::Host(id), Does::TakeAway).await?;
        self.execute(REMOVE, values![id, self.now]).await?;
        Ok(marked)
    }
}

#[derive(FromRow)]
pub(crate) struct HostRow {
    id: String,
    name: String,
    state: String,
    enrolled_at: i64,
}

impl Record for HostRow {
    const TABLE: &'static str = "hosts";
    type Item = Host;

    fn parse(self) -> Result<Host, StoreError> {
        let row = Row::new(Self::TABLE, &self.id);
        Ok(Host {
            id: row.value("id", HostId::parse(&self.id))?,
            name: row.value("name", HostName::parse(&self.name))?,
            groups: BTreeSet::new(),
            state: row.word("state", &self.state, &STATES)?,
            enrolled_at: Timestamp::from_unix(self.enrolled_at),
        })
    }
}

pub(crate) const STATES: [(HostState, &str); 2] = [
    (HostState::Active, "active"),
    (HostState::Removed, "removed"),
];
