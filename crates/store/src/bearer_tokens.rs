//! Bearer tokens of people and their programs.

use keyroster_roster::{Actor, Timestamp};
use serde_json::json;
use sqlx::FromRow;

use crate::StoreError;
use crate::action::Action;
use crate::audit::Event;
use crate::concerned::Marked;
use crate::db::{Record, statements, values};
use crate::error::Object;
use crate::page::{Limit, Page};
use crate::read::{Reader, Row, moment};
use crate::state::RosterState;
use crate::token_hash::TokenHash;
use crate::write::{Outcome, WriteTx, Writer};

/// A bearer token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerToken {
    /// Its name, which is the actor of what its bearer does. Never given out twice.
    pub name: Actor,
    /// What its bearer may do.
    pub role: Role,
    /// Who made it.
    pub created_by: Actor,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first moment at which it is no longer good.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What a token's bearer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Admin,
    /// Suspend, terminate and revoke, and everything that an auditor may.
    Officer,
    /// Read everything.
    Auditor,
}

/// How a bearer token stands at a moment.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenStanding {
    /// It is good.
    Good,
    /// It has expired.
    Expired,
    /// It was revoked.
    Revoked,
}

impl BearerToken {
    /// How it stands at a moment.
    pub fn standing(&self, now: Timestamp) -> TokenStanding {
        if self.revoked_at.is_some() {
            TokenStanding::Revoked
        } else if self.expires_at <= now {
            TokenStanding::Expired
        } else {
            TokenStanding::Good
        }
    }
}

impl Role {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Officer => "officer",
            Self::Auditor => "auditor",
        }
    }
}

statements! {
    ADD = "insert into bearer_tokens (name, hash, role, created_by, created_at, expires_at) \
        values ($1, $2, $3, $4, $5, $6)";
    GET = "select name, role, created_by, created_at, expires_at, revoked_at from bearer_tokens where name = $1";
    GET_BY_HASH = "select name, role, created_by, created_at, expires_at, revoked_at from bearer_tokens where hash = $1";
    LIST = "select name, role, created_by, created_at, expires_at, revoked_at from bearer_tokens \
        where name > $1 order by name limit $2";
    REVOKE = "update bearer_tokens set revoked_at = $2 where name = $1";
}

impl Reader {
    /// The bearer token of that name.
    pub async fn bearer_token(&mut self, name: &Actor) -> Result<Option<BearerToken>, StoreError> {
        self.tx.first::<BearerTokenRow>(GET, values![name]).await
    }

    /// The bearer token with that hash, good or not.
    pub async fn bearer_token_by_hash(
        &mut self,
        hash: &TokenHash,
    ) -> Result<Option<BearerToken>, StoreError> {
        self.tx
            .first::<BearerTokenRow>(GET_BY_HASH, values![hash])
            .await
    }

    /// Bearer tokens in order of name, revoked and expired ones too.
    pub async fn bearer_tokens(
        &mut self,
        after: Option<&Actor>,
        limit: Limit,
    ) -> Result<Page<BearerToken, Actor>, StoreError> {
        let after = after.map_or("", Actor::as_str);
        let items = self
            .tx
            .all::<BearerTokenRow>(LIST, values![after, limit.and_one()])
            .await?;
        Ok(Page::of(items, limit, |token| token.name.clone()))
    }
}

impl Writer<'_> {
    /// Adds a bearer token, made by this writer's actor at this writer's moment.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`], also for the name of a revoked or expired one: in the audit log a name means one token.
    pub async fn add_bearer_token(
        &self,
        name: &Actor,
        hash: &TokenHash,
        role: Role,
        expires_at: Timestamp,
    ) -> Result<RosterState, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::BearerToken(name.clone());
        let same_secret = tx.read.bearer_token_by_hash(hash).await?.is_some();
        if same_secret || tx.read.bearer_token(name).await?.is_some() {
            return Err(StoreError::AlreadyExists { object });
        }
        tx.execute(
            ADD,
            values![name, hash, role.as_str(), &self.actor, self.now, expires_at],
        )
        .await?;
        let detail = json!({ "expires_at": expires_at.to_string(), "role": role.as_str() });
        self.commit(
            tx,
            Event::new(Action::BearerTokenAdd, &object, &detail),
            Marked::NO_HOST,
        )
        .await
    }

    /// Revokes a bearer token, for good.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn revoke_bearer_token(&self, name: &Actor) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::BearerToken(name.clone());
        let token = tx
            .read
            .bearer_token(name)
            .await?
            .ok_or_else(|| StoreError::NotFound {
                object: object.clone(),
            })?;
        if token.revoked_at.is_some() {
            return tx.unchanged().await;
        }
        tx.revoke_token_row(name).await?;
        self.written(
            tx,
            Event::new(Action::BearerTokenRevoke, &object, &json!({})),
            Marked::NO_HOST,
        )
        .await
    }
}

impl WriteTx {
    pub(crate) async fn revoke_token_row(&mut self, name: &Actor) -> Result<(), StoreError> {
        self.execute(REVOKE, values![name, self.now])
            .await
            .map(drop)
    }
}

#[derive(FromRow)]
struct BearerTokenRow {
    name: String,
    role: String,
    created_by: String,
    created_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
}

impl Record for BearerTokenRow {
    const TABLE: &'static str = "bearer_tokens";
    type Item = BearerToken;

    fn parse(self) -> Result<BearerToken, StoreError> {
        let row = Row::new(Self::TABLE, &self.name);
        Ok(BearerToken {
            name: row.value("name", Actor::parse(&self.name))?,
            role: row.word("role", &self.role, &ROLES.map(|role| (role, role.as_str())))?,
            created_by: row.value("created_by", Actor::parse(&self.created_by))?,
            created_at: Timestamp::from_unix(self.created_at),
            expires_at: Timestamp::from_unix(self.expires_at),
            revoked_at: moment(self.revoked_at),
        })
    }
}

const ROLES: [Role; 3] = [Role::Admin, Role::Officer, Role::Auditor];
