//! Groups of users.

use std::collections::{BTreeMap, BTreeSet};

use keyroster_keys::{GroupName, UserName};
use keyroster_roster::Group;
use serde_json::json;
use sqlx::FromRow;

use crate::StoreError;
use crate::action::Action;
use crate::audit::Event;
use crate::concerned::{Concerned, Does, Marked};
use crate::db::{Record, statements, values};
use crate::error::Object;
use crate::grants::GrantsOf;
use crate::page::{Limit, Page};
use crate::read::{Reader, Row};
use crate::state::RosterState;
use crate::write::{Outcome, WriteTx, Writer};

statements! {
    ADD = "insert into groups (name) values ($1)";
    GET = "select name from groups where name = $1";
    LIST = "select name from groups where name > $1 order by name limit $2";
    MEMBERS = "select group_name, user_name from group_members where group_name >= $1 and group_name <= $2";
    IS_MEMBER = "select group_name, user_name from group_members where group_name = $1 and user_name = $2";
    ADD_MEMBER = "insert into group_members (group_name, user_name) values ($1, $2)";
    REMOVE_MEMBER = "delete from group_members where group_name = $1 and user_name = $2";
    DELETE = "delete from groups where name = $1";
}

impl Reader {
    /// The group of that name, with its members.
    pub async fn group(&mut self, name: &GroupName) -> Result<Option<Group>, StoreError> {
        let Some(name) = self.tx.first::<GroupRow>(GET, values![name]).await? else {
            return Ok(None);
        };
        Ok(self.with_members(vec![name]).await?.pop())
    }

    /// Groups in order of name, with their members.
    pub async fn groups(
        &mut self,
        after: Option<&GroupName>,
        limit: Limit,
    ) -> Result<Page<Group, GroupName>, StoreError> {
        let after = after.map_or("", GroupName::as_str);
        let names = self
            .tx
            .all::<GroupRow>(LIST, values![after, limit.and_one()])
            .await?;
        let page = Page::of(names, limit, GroupName::clone);
        Ok(Page {
            items: self.with_members(page.items).await?,
            next: page.next,
        })
    }

    /// The members of all groups from the first name to the last, in one query.
    async fn with_members(&mut self, names: Vec<GroupName>) -> Result<Vec<Group>, StoreError> {
        let (Some(first), Some(last)) = (names.first(), names.last()) else {
            return Ok(Vec::new());
        };
        let mut members: BTreeMap<GroupName, BTreeSet<UserName>> = BTreeMap::new();
        for (group, user) in self
            .tx
            .all::<MemberRow>(MEMBERS, values![first, last])
            .await?
        {
            members.entry(group).or_default().insert(user);
        }
        let with_members = |name| Group {
            members: members.remove(&name).unwrap_or_default(),
            name,
        };
        Ok(names.into_iter().map(with_members).collect())
    }
}

impl Writer<'_> {
    /// Adds an empty group.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`].
    pub async fn add_group(&self, name: &GroupName) -> Result<RosterState, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::Group(name.clone());
        if tx.read.group(name).await?.is_some() {
            return Err(StoreError::AlreadyExists { object });
        }
        tx.execute(ADD, values![name]).await?;
        self.commit(
            tx,
            Event::new(Action::GroupAdd, &object, &json!({})),
            Marked::NO_HOST,
        )
        .await
    }

    /// Puts a user into a group.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] about either; [`StoreError::Conflict`] for a terminated user.
    pub async fn add_group_member(
        &self,
        name: &GroupName,
        user: &UserName,
    ) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let object = tx.group_object(name).await?;
        tx.user_not_terminated(user).await?;
        if tx.is_member(name, user).await? {
            return tx.unchanged().await;
        }
        tx.add_member_row(name, user).await?;
        let marked = tx.mark(Concerned::Group(name), Does::TakeAway).await?;
        self.written(
            tx,
            Event::new(
                Action::GroupAddMember,
                &object,
                &json!({ "user": user.as_str() }),
            ),
            marked,
        )
        .await
    }

    /// Takes a user out of a group.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] about either.
    pub async fn remove_group_member(
        &self,
        name: &GroupName,
        user: &UserName,
    ) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let object = tx.group_object(name).await?;
        if tx.read.user(user).await?.is_none() {
            return Err(StoreError::NotFound {
                object: Object::User(user.clone()),
            });
        }
        if tx.remove_member_row(name, user).await? == 0 {
            return tx.unchanged().await;
        }
        let marked = tx.mark(Concerned::Group(name), Does::TakeAway).await?;
        self.written(
            tx,
            Event::new(
                Action::GroupRemoveMember,
                &object,
                &json!({ "user": user.as_str() }),
            ),
            marked,
        )
        .await
    }

    /// Deletes a group, its memberships and its grants; the audit event names the grants.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] while a grant that denies is for the group, since its end could
    /// let somebody in.
    pub async fn delete_group(&self, name: &GroupName) -> Result<RosterState, StoreError> {
        let mut tx = self.begin().await?;
        let object = tx.group_object(name).await?;
        let grants = tx.read.ending_with(&GrantsOf::Group(name), &object).await?;
        let marked = tx.mark(Concerned::Group(name), Does::TakeAway).await?;
        tx.execute(DELETE, values![name]).await?;
        self.commit(
            tx,
            Event::new(Action::GroupDelete, &object, &json!({ "grants": grants })),
            marked,
        )
        .await
    }
}

impl WriteTx {
    pub(crate) async fn add_member_row(
        &mut self,
        name: &GroupName,
        user: &UserName,
    ) -> Result<u64, StoreError> {
        self.execute(ADD_MEMBER, values![name, user]).await
    }

    pub(crate) async fn remove_member_row(
        &mut self,
        name: &GroupName,
        user: &UserName,
    ) -> Result<u64, StoreError> {
        self.execute(REMOVE_MEMBER, values![name, user]).await
    }

    /// A group that is there, by name.
    pub(crate) async fn group_object(&mut self, name: &GroupName) -> Result<Object, StoreError> {
        let object = Object::Group(name.clone());
        match self.read.tx.first::<GroupRow>(GET, values![name]).await? {
            Some(_) => Ok(object),
            None => Err(StoreError::NotFound { object }),
        }
    }

    async fn is_member(&mut self, name: &GroupName, user: &UserName) -> Result<bool, StoreError> {
        Ok(self
            .read
            .tx
            .first::<MemberRow>(IS_MEMBER, values![name, user])
            .await?
            .is_some())
    }
}

#[derive(FromRow)]
pub(crate) struct GroupRow {
    name: String,
}

impl Record for GroupRow {
    const TABLE: &'static str = "groups";
    type Item = GroupName;

    fn parse(self) -> Result<GroupName, StoreError> {
        Row::new(Self::TABLE, &self.name).value("name", GroupName::parse(&self.name))
    }
}

#[derive(FromRow)]
pub(crate) struct MemberRow {
    group_name: String,
    user_name: String,
}

impl Record for MemberRow {
    const TABLE: &'static str = "group_members";
    type Item = (GroupName, UserName);

    fn parse(self) -> Result<Self::Item, StoreError> {
        let row = Row::new(Self::TABLE, &self.group_name);
        let group = row.value("group_name", GroupName::parse(&self.group_name))?;
        Ok((
            group,
            row.value("user_name", UserName::parse(&self.user_name))?,
        ))
    }
}
