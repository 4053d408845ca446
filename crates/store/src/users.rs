//! Users. Never deleted: a state ends what they may do, and their name keeps its meaning.

use keyroster_keys::UserName;
use keyroster_roster::{Reason, Timestamp, User, UserKind, UserState};
use serde_json::json;
use sqlx::FromRow;

use crate::StoreError;
use crate::action::Action;
use crate::audit::Event;
use crate::concerned::{Concerned, Does, Marked};
use crate::db::{Record, statements, values};
use crate::error::Object;
use crate::page::{Limit, Page};
use crate::read::{Reader, Row};
use crate::restore::{Ended, Found};
use crate::state::RosterState;
use crate::write::{Outcome, WriteTx, Writer};

statements! {
    ADD = "insert into users (name, kind, owner, state, created_at) values ($1, $2, $3, $4, $5)";
    GET = "select name, kind, owner, state, created_at from users where name = $1";
    LIST = "select name, kind, owner, state, created_at from users where name > $1 order by name limit $2";
    SET_STATE = "update users set state = $2 where name = $1";
}

impl Reader {
    /// The user of that name.
    pub async fn user(&mut self, name: &UserName) -> Result<Option<User>, StoreError> {
        self.tx.first::<UserRow>(GET, values![name]).await
    }

    /// Users in order of name.
    pub async fn users(
        &mut self,
        after: Option<&UserName>,
        limit: Limit,
    ) -> Result<Page<User, UserName>, StoreError> {
        let after = after.map_or("", UserName::as_str);
        let items = self
            .tx
            .all::<UserRow>(LIST, values![after, limit.and_one()])
            .await?;
        Ok(Page::of(items, limit, |user| user.name.clone()))
    }
}

impl Writer<'_> {
    /// Adds a user as it is given.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`]; [`StoreError::Conflict`] for one who was terminated before a restore; for a service, [`StoreError::NotFound`] and [`StoreError::Conflict`] about its owner,
    /// who must be a person and not terminated.
    pub async fn add_user(&self, user: &User) -> Result<RosterState, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::User(user.name.clone());
        if tx.read.user(&user.name).await?.is_some() {
            return Err(StoreError::AlreadyExists { object });
        }
        if tx
            .read
            .was_ended_before(Ended::User, user.name.as_str())
            .await?
            == Found::Yes
        {
            let rule = "a user of that name was terminated before the roster was restored";
            return Err(StoreError::Conflict { object, rule });
        }
        let owner = match &user.kind {
            UserKind::Person => None,
            UserKind::Service { owner } => {
                let rule = "the owner of a service must be a person";
                match tx.user_not_terminated(owner).await?.kind {
                    UserKind::Person => Some(owner),
                    UserKind::Service { .. } => return Err(StoreError::Conflict { object, rule }),
                }
            }
        };
        let owner = owner.map(UserName::as_str);
        let kind = if owner.is_some() { SERVICE } else { PERSON };
        tx.execute(
            ADD,
            values![
                &user.name,
                kind,
                owner,
                user.state.as_str(),
                user.created_at
            ],
        )
        .await?;
        let detail = json!({ "kind": kind, "owner": owner, "state": user.state.as_str() });
        self.commit(
            tx,
            Event::new(Action::UserAdd, &object, &detail),
            Marked::NO_HOST,
        )
        .await
    }

    /// Changes a user's state.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] for a terminated user, who stays so.
    pub async fn set_user_state(
        &self,
        name: &UserName,
        state: UserState,
        reason: Option<&Reason>,
    ) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::User(name.clone());
        let user = tx
            .read
            .user(name)
            .await?
            .ok_or_else(|| StoreError::NotFound {
                object: object.clone(),
            })?;
        if user.state == state {
            return tx.unchanged().await;
        }
        if user.state == UserState::Terminated {
            return Err(StoreError::Conflict {
                object,
                rule: "a terminated user stays terminated",
            });
        }
        tx.set_user_state_row(name, state).await?;
        let does = match state {
            UserState::Active => Does::OnlyGive,
            UserState::Suspended | UserState::Terminated => Does::TakeAway,
        };
        let marked = tx.mark(Concerned::UserAndServices(name), does).await?;
        let detail = json!({
            "reason": reason.map(Reason::as_str),
            "state": state.as_str(),
            "was": user.state.as_str(),
        });
        self.written(
            tx,
            Event::new(Action::UserSetState, &object, &detail),
            marked,
        )
        .await
    }
}

impl WriteTx {
    pub(crate) async fn set_user_state_row(
        &mut self,
        name: &UserName,
        state: UserState,
    ) -> Result<(), StoreError> {
        let values = values![name, state.as_str()];
        self.execute(SET_STATE, values).await?;
        self.relist(name).await
    }

    /// A user whom something can still be given to.
    pub(crate) async fn user_not_terminated(
        &mut self,
        name: &UserName,
    ) -> Result<User, StoreError> {
        let object = Object::User(name.clone());
        match self.read.user(name).await? {
            None => Err(StoreError::NotFound { object }),
            Some(user) if user.state == UserState::Terminated => Err(StoreError::Conflict {
                object,
                rule: "the user is terminated",
            }),
            Some(user) => Ok(user),
        }
    }
}

#[derive(FromRow)]
pub(crate) struct UserRow {
    name: String,
    kind: String,
    owner: Option<String>,
    state: String,
    created_at: i64,
}

impl Record for UserRow {
    const TABLE: &'static str = "users";
    type Item = User;

    fn parse(self) -> Result<User, StoreError> {
        let row = Row::new(Self::TABLE, &self.name);
        let kind = match (self.kind.as_str(), &self.owner) {
            (PERSON, None) => UserKind::Person,
            (SERVICE, Some(owner)) => UserKind::Service {
                owner: row.value("owner", UserName::parse(owner))?,
            },
            _ => return Err(row.wrong("kind", &"a service has an owner, and nobody else has")),
        };
        Ok(User {
            name: row.value("name", UserName::parse(&self.name))?,
            kind,
            state: row.word(
                "state",
                &self.state,
                &STATES.map(|state| (state, state.as_str())),
            )?,
            created_at: Timestamp::from_unix(self.created_at),
        })
    }
}

const PERSON: &str = "person";
const SERVICE: &str = "service";
const STATES: [UserState; 3] = [
    UserState::Active,
    UserState::Suspended,
    UserState::Terminated,
];
