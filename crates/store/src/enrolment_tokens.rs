//! Enrolment tokens: each lets one host in, once.
//!
//! A token is burnt by one conditional update in the transaction that adds its host, so of several hosts that show it at
//! once one is enrolled. A second showing is an audit event, since somebody else has the token; but only the first such
//! showing, and never that of a token which we did not make: a stranger must not be able to fill the audit log.

use keyroster_keys::{GroupName, HostName};
use keyroster_roster::{Actor, HostId, Timestamp};
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
use crate::write::{WriteTx, Writer};

/// An enrolment token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentTokenRecord {
    /// What it is known by.
    pub id: TokenHash,
    /// The host group that its host will be in.
    pub host_group: GroupName,
    /// Who made it.
    pub created_by: Actor,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first moment at which it is no longer good.
    pub expires_at: Timestamp,
    /// Which host it was used for, and when.
    pub used: Option<(HostId, Timestamp)>,
    /// When it was first shown in vain.
    pub refused_at: Option<Timestamp>,
}

/// What became of an enrolment.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolment {
    /// The host is in the roster.
    Enrolled {
        /// The host group that it is in.
        host_group: GroupName,
        /// Where the roster stands.
        state: RosterState,
    },
    /// The token is not good. Tell the stranger no more than that.
    Refused(TokenRefusal),
}

/// Why an enrolment token is not good: for our own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenRefusal {
    /// No such token was made.
    Unknown,
    /// It was used before.
    Used,
    /// Its time is over.
    Expired,
}

statements! {
    ADD = "insert into enrolment_tokens (hash, host_group, created_by, created_at, expires_at) \
        values ($1, $2, $3, $4, $5)";
    GET = "select hash, host_group, created_by, created_at, expires_at, used_at, used_by, refused_at \
        from enrolment_tokens where hash = $1";
    LIST = "select hash, host_group, created_by, created_at, expires_at, used_at, used_by, refused_at \
        from enrolment_tokens where hash > $1 order by hash limit $2";
    BURN = "update enrolment_tokens set used_at = $2, used_by = $3 \
        where hash = $1 and used_at is null and expires_at > $2";
    REFUSE = "update enrolment_tokens set refused_at = $2 where hash = $1 and refused_at is null";
}

impl Reader {
    /// Enrolment tokens in order of id, used and expired ones too.
    pub async fn enrolment_tokens(
        &mut self,
        after: Option<&TokenHash>,
        limit: Limit,
    ) -> Result<Page<EnrolmentTokenRecord, TokenHash>, StoreError> {
        let after = after.map_or("", TokenHash::as_str);
        let items = self
            .tx
            .all::<TokenRow>(LIST, values![after, limit.and_one()])
            .await?;
        Ok(Page::of(items, limit, |token| token.id.clone()))
    }

    async fn enrolment_token(
        &mut self,
        hash: &TokenHash,
    ) -> Result<Option<EnrolmentTokenRecord>, StoreError> {
        self.tx.first::<TokenRow>(GET, values![hash]).await
    }
}

impl Writer<'_> {
    /// Adds an enrolment token for a host group.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] about the host group; [`StoreError::AlreadyExists`].
    pub async fn add_enrolment_token(
        &self,
        hash: &TokenHash,
        host_group: &GroupName,
        expires_at: Timestamp,
    ) -> Result<RosterState, StoreError> {
        let mut tx = self.begin().await?;
        let object = object(hash);
        tx.host_group_object(host_group).await?;
        if tx.read.enrolment_token(hash).await?.is_some() {
            return Err(StoreError::AlreadyExists { object });
        }
        tx.execute(
            ADD,
            values![hash, host_group, &self.actor, self.now, expires_at],
        )
        .await?;
        let detail =
            json!({ "expires_at": expires_at.to_string(), "host_group": host_group.as_str() });
        self.commit(
            tx,
            Event::new(Action::EnrolmentTokenAdd, &object, &detail),
            Marked::NO_HOST,
        )
        .await
    }

    /// Burns a token and adds its host, with a certificate of generation 1.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] about an active host of that name; the token is still good then.
    pub async fn enrol_host(
        &self,
        hash: &TokenHash,
        id: &HostId,
        name: &HostName,
    ) -> Result<Enrolment, StoreError> {
        // A stranger's guess must not wait in the writers' queue, nor lengthen it.
        if self
            .store
            .read()
            .await?
            .enrolment_token(hash)
            .await?
            .is_none()
        {
            return Ok(Enrolment::Refused(TokenRefusal::Unknown));
        }
        let mut tx = self.begin().await?;
        if tx.execute(BURN, values![hash, self.now, id]).await? == 0 {
            return self.refuse(tx, hash, name).await;
        }
        let Some(token) = tx.read.enrolment_token(hash).await? else {
            return Ok(Enrolment::Refused(TokenRefusal::Unknown));
        };
        if tx.read.host_named(name).await?.is_some() {
            return Err(StoreError::AlreadyExists {
                object: Object::HostNamed(name.clone()),
            });
        }
        let marked = tx.add_host_row(id, name).await?;
        tx.add_to_host_group(&token.host_group, id).await?;
        let detail = json!({
            "host_group": token.host_group.as_str(),
            "name": name.as_str(),
            "token": token.id.as_str(),
            "token_created_by": token.created_by.as_str(),
        });
        let event = Event::new(Action::HostEnrol, &Object::Host(id.clone()), &detail);
        let state = self.commit(tx, event, marked).await?;
        Ok(Enrolment::Enrolled {
            host_group: token.host_group,
            state,
        })
    }

    async fn refuse(
        &self,
        mut tx: WriteTx,
        hash: &TokenHash,
        name: &HostName,
    ) -> Result<Enrolment, StoreError> {
        let refusal = match tx.read.enrolment_token(hash).await? {
            None => return Ok(Enrolment::Refused(TokenRefusal::Unknown)),
            Some(token) if token.used.is_some() => TokenRefusal::Used,
            Some(_) => TokenRefusal::Expired,
        };
        if tx.execute(REFUSE, values![hash, self.now]).await? == 1 {
            let detail = json!({ "name": name.as_str(), "why": refusal.as_str() });
            self.commit(
                tx,
                Event::new(Action::EnrolmentTokenRefuse, &object(hash), &detail),
                Marked::NO_HOST,
            )
            .await?;
        }
        Ok(Enrolment::Refused(refusal))
    }
}

impl TokenRefusal {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Used => "used",
            Self::Expired => "expired",
        }
    }
}

fn object(hash: &TokenHash) -> Object {
    Object::EnrolmentToken(hash.clone())
}

#[derive(FromRow)]
struct TokenRow {
    hash: String,
    host_group: String,
    created_by: String,
    created_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
    used_by: Option<String>,
    refused_at: Option<i64>,
}

impl Record for TokenRow {
    const TABLE: &'static str = "enrolment_tokens";
    type Item = EnrolmentTokenRecord;

    fn parse(self) -> Result<EnrolmentTokenRecord, StoreError> {
        let row = Row::new(Self::TABLE, &self.hash);
        let used_by = row.optional("used_by", self.used_by.as_deref(), HostId::parse)?;
        Ok(EnrolmentTokenRecord {
            host_group: row.value("host_group", GroupName::parse(&self.host_group))?,
            created_by: row.value("created_by", Actor::parse(&self.created_by))?,
            created_at: Timestamp::from_unix(self.created_at),
            expires_at: Timestamp::from_unix(self.expires_at),
            used: used_by.zip(moment(self.used_at)),
            refused_at: moment(self.refused_at),
            id: row.value("hash", TokenHash::parse(&self.hash))?,
        })
    }
}
