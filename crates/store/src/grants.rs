//! Grants. Revoked ones stay, so that the audit log can be read; only the end of their group or host group deletes them.

use keyroster_keys::{AccountName, GroupName, UserName};
use keyroster_roster::{
    Actor, Effect, FromList, Grant, GrantId, GrantOptions, GrantState, HostId, Reason, Subject,
    Target, Timestamp,
};
use serde_json::{Value as Json, json};
use sqlx::FromRow;

use crate::StoreError;
use crate::action::Action;
use crate::audit::Event;
use crate::concerned::{Concerned, Does};
use crate::db::{Record, statements, values};
use crate::error::Object;
use crate::page::{Limit, Page};
use crate::read::{Reader, Row, moment};
use crate::state::RosterState;
use crate::write::{Outcome, WriteTx, Writer};

/// Which grants a list shows: those that are like this in all that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantFilter {
    /// For this user, and not for a group that the user is in.
    pub user: Option<UserName>,
    /// For this group.
    pub group: Option<GroupName>,
    /// For this account.
    pub account: Option<AccountName>,
    /// On this host, and not on a host group that it is in.
    pub host: Option<HostId>,
    /// On this host group.
    pub host_group: Option<GroupName>,
    /// Leave off revoked ones.
    pub active_only: bool,
}

/// What a group or a host group takes with it when it is deleted.
pub(crate) enum GrantsOf<'a> {
    Group(&'a GroupName),
    HostGroup(&'a GroupName),
}

/// The columns of a grant, in one order for all statements.
macro_rules! columns {
    () => {
        "g.id, g.effect, g.user_name, g.group_name, g.account, g.host, g.host_group, g.options, g.command, \
         g.from_ranges, g.not_before, g.ends_at, g.reason, g.created_by, g.created_at, g.revoked_at"
    };
}
pub(crate) use columns;

statements! {
    ADD = "insert into grants (id, effect, user_name, group_name, account, host, host_group, options, command, \
        from_ranges, not_before, ends_at, reason, created_by, created_at, revoked_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    GET = concat!("select ", columns!(), " from grants g where g.id = $1");
    LIST = concat!("select ", columns!(), " from grants g where g.id > $1 \
        and (cast($2 as text) is null or g.user_name = $2) \
        and (cast($3 as text) is null or g.group_name = $3) \
        and (cast($4 as text) is null or g.account = $4) \
        and (cast($5 as text) is null or g.host = $5) \
        and (cast($6 as text) is null or g.host_group = $6) \
        and (cast($7 as bigint) = 0 or g.revoked_at is null) \
        order by g.id limit $8");
    OF_GROUP = concat!("select ", columns!(), " from grants g where g.group_name = $1 order by g.id");
    OF_HOST_GROUP = concat!("select ", columns!(), " from grants g where g.host_group = $1 order by g.id");
    REVOKE = "update grants set revoked_at = $2 where id = $1";
}

impl Reader {
    /// The grant with that id.
    pub async fn grant(&mut self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        self.tx.first::<GrantRow>(GET, values![id]).await
    }

    /// Grants in order of id, and so of age.
    pub async fn grants(
        &mut self,
        filter: &GrantFilter,
        after: Option<&GrantId>,
        limit: Limit,
    ) -> Result<Page<Grant, GrantId>, StoreError> {
        let wanted = values![
            after.map_or("", GrantId::as_str),
            filter.user.as_ref().map(UserName::as_str),
            filter.group.as_ref().map(GroupName::as_str),
            filter.account.as_ref().map(AccountName::as_str),
            filter.host.as_ref().map(HostId::as_str),
            filter.host_group.as_ref().map(GroupName::as_str),
            i64::from(filter.active_only),
            limit.and_one(),
        ];
        let items = self.tx.all::<GrantRow>(LIST, wanted).await?;
        Ok(Page::of(items, limit, |grant| grant.id.clone()))
    }

    /// The grants for a group, or on a host group, revoked ones too.
    pub(crate) async fn grants_of(&mut self, of: &GrantsOf<'_>) -> Result<Vec<Grant>, StoreError> {
        let (statement, name) = match of {
            GrantsOf::Group(name) => (OF_GROUP, *name),
            GrantsOf::HostGroup(name) => (OF_HOST_GROUP, *name),
        };
        self.tx.all::<GrantRow>(statement, values![name]).await
    }

    /// The ids of the grants that end with a group or host group, or the refusal to end one that denies.
    pub(crate) async fn ending_with(
        &mut self,
        of: &GrantsOf<'_>,
        object: &Object,
    ) -> Result<Vec<String>, StoreError> {
        let grants = self.grants_of(of).await?;
        if grants
            .iter()
            .any(|grant| grant.effect == Effect::Deny && grant.state == GrantState::Active)
        {
            let rule = "a grant that denies would end with it; revoke that grant first";
            return Err(StoreError::Conflict {
                object: object.clone(),
                rule,
            });
        }
        Ok(grants.iter().map(|grant| grant.id.to_string()).collect())
    }
}

impl Writer<'_> {
    /// Adds a grant as it is given; the caller has [checked](Grant::check) it.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`]; [`StoreError::NotFound`] about whom or what it is for; [`StoreError::Conflict`] for a
    /// terminated user and a removed host.
    pub async fn add_grant(&self, grant: &Grant) -> Result<RosterState, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::Grant(grant.id.clone());
        if tx.read.grant(&grant.id).await?.is_some() {
            return Err(StoreError::AlreadyExists { object });
        }
        tx.check_ends(grant).await?;
        tx.insert(grant).await?;
        let on = Concerned::Grant(&grant.target, &grant.account);
        let marked = tx.mark(on, Does::TakeAway).await?;
        self.commit(
            tx,
            Event::new(Action::GrantAdd, &object, &detail(grant)),
            marked,
        )
        .await
    }

    /// Revokes a grant, for good.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn revoke_grant(
        &self,
        id: &GrantId,
        reason: Option<&Reason>,
    ) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::Grant(id.clone());
        let grant = tx
            .read
            .grant(id)
            .await?
            .ok_or_else(|| StoreError::NotFound {
                object: object.clone(),
            })?;
        if let GrantState::Revoked { .. } = grant.state {
            return tx.unchanged().await;
        }
        tx.revoke_grant_row(id).await?;
        let on = Concerned::Grant(&grant.target, &grant.account);
        let marked = tx.mark(on, Does::TakeAway).await?;
        let detail =
            json!({ "effect": grant.effect.as_str(), "reason": reason.map(Reason::as_str) });
        self.written(
            tx,
            Event::new(Action::GrantRevoke, &object, &detail),
            marked,
        )
        .await
    }
}

impl WriteTx {
    /// Refuses a grant between what is not there, or is there no more.
    pub(crate) async fn check_ends(&mut self, grant: &Grant) -> Result<(), StoreError> {
        match &grant.subject {
            Subject::User(name) => self.user_not_terminated(name).await.map(drop)?,
            Subject::Group(name) => self.group_object(name).await.map(drop)?,
        }
        match &grant.target {
            Target::Host(id) => self.active_host(id).await.map(drop),
            Target::HostGroup(name) => self.host_group_object(name).await.map(drop),
        }
    }

    pub(crate) async fn revoke_grant_row(&mut self, id: &GrantId) -> Result<(), StoreError> {
        self.execute(REVOKE, values![id, self.now]).await.map(drop)
    }

    pub(crate) async fn insert(&mut self, grant: &Grant) -> Result<(), StoreError> {
        let (user, group) = subject(grant);
        let (host, host_group) = target(grant);
        let options = json!(grant.options.texts()).to_string();
        let ranges = grant.from.as_ref().map(ToString::to_string);
        let revoked_at = match grant.state {
            GrantState::Active => None,
            GrantState::Revoked { at } => Some(at),
        };
        let row = values![
            &grant.id,
            grant.effect.as_str(),
            user,
            group,
            &grant.account,
            host,
            host_group,
            &options,
            grant.options.command().map(|command| command.as_str()),
            ranges.as_deref(),
            grant.not_before,
            grant.until,
            grant.reason.as_ref().map(Reason::as_str),
            &grant.created_by,
            grant.created_at,
            revoked_at,
        ];
        self.execute(ADD, row).await.map(drop)
    }
}

fn subject(grant: &Grant) -> (Option<&str>, Option<&str>) {
    match &grant.subject {
        Subject::User(name) => (Some(name.as_str()), None),
        Subject::Group(name) => (None, Some(name.as_str())),
    }
}

fn target(grant: &Grant) -> (Option<&str>, Option<&str>) {
    match &grant.target {
        Target::Host(id) => (Some(id.as_str()), None),
        Target::HostGroup(name) => (None, Some(name.as_str())),
    }
}

/// The whole grant, so that the audit log still tells it when its group has been deleted.
pub(crate) fn detail(grant: &Grant) -> Json {
    let (user, group) = subject(grant);
    let (host, host_group) = target(grant);
    json!({
        "account": grant.account.as_str(),
        "command": grant.options.command().map(|command| command.as_str()),
        "effect": grant.effect.as_str(),
        "from": grant.from.as_ref().map(ToString::to_string),
        "group": group,
        "host": host,
        "host_group": host_group,
        "not_before": grant.not_before.map(|moment| moment.to_string()),
        "options": grant.options.texts(),
        "reason": grant.reason.as_ref().map(Reason::as_str),
        "until": grant.until.map(|moment| moment.to_string()),
        "user": user,
    })
}

#[derive(FromRow)]
pub(crate) struct GrantRow {
    id: String,
    effect: String,
    user_name: Option<String>,
    group_name: Option<String>,
    account: String,
    host: Option<String>,
    host_group: Option<String>,
    options: String,
    command: Option<String>,
    from_ranges: Option<String>,
    not_before: Option<i64>,
    ends_at: Option<i64>,
    reason: Option<String>,
    created_by: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

impl GrantRow {
    fn subject(&self, row: &Row<'_>) -> Result<Subject, StoreError> {
        let user = row.optional("user_name", self.user_name.as_deref(), UserName::parse)?;
        let group = row.optional("group_name", self.group_name.as_deref(), GroupName::parse)?;
        row.either(
            "user_name, group_name",
            user.map(Subject::User),
            group.map(Subject::Group),
        )
    }

    fn target(&self, row: &Row<'_>) -> Result<Target, StoreError> {
        let host = row.optional("host", self.host.as_deref(), HostId::parse)?;
        let group = row.optional("host_group", self.host_group.as_deref(), GroupName::parse)?;
        row.either(
            "host, host_group",
            host.map(Target::Host),
            group.map(Target::HostGroup),
        )
    }

    fn options(&self, row: &Row<'_>) -> Result<GrantOptions, StoreError> {
        let texts: Vec<String> = row.value("options", serde_json::from_str(&self.options))?;
        let options =
            GrantOptions::parse(texts.iter().map(String::as_str), self.command.as_deref());
        row.value("options", options)
    }
}

impl Record for GrantRow {
    const TABLE: &'static str = "grants";
    type Item = Grant;

    fn parse(self) -> Result<Grant, StoreError> {
        let row = Row::new(Self::TABLE, &self.id);
        let grant = Grant {
            id: row.value("id", GrantId::parse(&self.id))?,
            effect: row.word(
                "effect",
                &self.effect,
                &EFFECTS.map(|effect| (effect, effect.as_str())),
            )?,
            subject: self.subject(&row)?,
            account: row.value("account", AccountName::parse(&self.account))?,
            target: self.target(&row)?,
            options: self.options(&row)?,
            from: row.optional("from_ranges", self.from_ranges.as_deref(), |text| {
                FromList::parse(text.split(','))
            })?,
            not_before: moment(self.not_before),
            until: moment(self.ends_at),
            reason: row.optional("reason", self.reason.as_deref(), Reason::parse)?,
            created_by: row.value("created_by", Actor::parse(&self.created_by))?,
            created_at: Timestamp::from_unix(self.created_at),
            state: moment(self.revoked_at)
                .map_or(GrantState::Active, |at| GrantState::Revoked { at }),
        };
        row.value("row", grant.check())?;
        Ok(grant)
    }
}

const EFFECTS: [Effect; 2] = [Effect::Allow, Effect::Deny];
