//! Keys. Each has exactly one owner, for good: a key that was revoked never comes back, not even to its owner.

use keyroster_keys::{Fingerprint, KeyBlob, UserName};
use keyroster_roster::{Key, KeyState, Label, Reason, Timestamp};
use serde_json::json;
use sqlx::FromRow;

use crate::StoreError;
use crate::action::Action;
use crate::audit::Event;
use crate::concerned::{Concerned, Does};
use crate::db::{Record, statements, values};
use crate::error::Object;
use crate::page::{Limit, Page};
use crate::read::{Reader, Row, moment};
use crate::restore::{Ended, Found};
use crate::state::RosterState;
use crate::write::{Outcome, WriteTx, Writer};

statements! {
    ADD = "insert into keys (fingerprint, user_name, algorithm, base64, label, added_at, expires_at, revoked_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    GET = "select fingerprint, user_name, algorithm, base64, label, added_at, expires_at, revoked_at from keys \
        where fingerprint = $1";
    LIST = "select fingerprint, user_name, algorithm, base64, label, added_at, expires_at, revoked_at from keys \
        where fingerprint > $1 order by fingerprint limit $2";
    LIST_OF_USER = "select fingerprint, user_name, algorithm, base64, label, added_at, expires_at, revoked_at from keys \
        where user_name = $1 and fingerprint > $2 order by fingerprint limit $3";
    REVOKE = "update keys set revoked_at = $2 where fingerprint = $1";
}

impl Reader {
    /// The key with that fingerprint.
    pub async fn key(&mut self, fingerprint: &Fingerprint) -> Result<Option<Key>, StoreError> {
        self.tx
            .first::<KeyRow>(GET, values![&fingerprint.to_string()])
            .await
    }

    /// Keys in order of fingerprint: one user's, or everybody's.
    pub async fn keys(
        &mut self,
        user: Option<&UserName>,
        after: Option<&Fingerprint>,
        limit: Limit,
    ) -> Result<Page<Key, Fingerprint>, StoreError> {
        let after = after.map(ToString::to_string).unwrap_or_default();
        let items = match user {
            None => {
                self.tx
                    .all::<KeyRow>(LIST, values![&after, limit.and_one()])
                    .await?
            }
            Some(user) => {
                self.tx
                    .all::<KeyRow>(LIST_OF_USER, values![user, &after, limit.and_one()])
                    .await?
            }
        };
        Ok(Page::of(items, limit, |key| key.fingerprint))
    }
}

impl Writer<'_> {
    /// Adds a key as it is given.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] and [`StoreError::Conflict`] about the owner, who must not be terminated;
    /// [`StoreError::AlreadyExists`]; [`StoreError::KeyOfAnotherUser`]; [`StoreError::Conflict`] for a revoked key.
    pub async fn add_key(&self, key: &Key) -> Result<RosterState, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::Key(key.fingerprint);
        tx.user_not_terminated(&key.user).await?;
        tx.is_new(key).await?;
        let revoked_at = revoked_at(key);
        let (fingerprint, algorithm) = (key.fingerprint.to_string(), key.blob.algorithm().as_str());
        let (base64, label) = (key.blob.base64(), key.label.as_str());
        let row = values![
            &fingerprint,
            &key.user,
            algorithm,
            base64,
            label,
            key.added_at,
            key.expires_at,
            revoked_at
        ];
        tx.execute(ADD, row).await?;
        tx.relist(&key.user).await?;
        let owner = Concerned::User(&key.user);
        let marked = tx.mark(owner, Does::OnlyGive).await?;
        let detail = json!({
            "algorithm": algorithm,
            "expires_at": key.expires_at.map(|moment| moment.to_string()),
            "label": label,
            "user": key.user.as_str(),
        });
        self.commit(tx, Event::new(Action::KeyAdd, &object, &detail), marked)
            .await
    }

    /// Revokes a key, for good.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn revoke_key(
        &self,
        fingerprint: &Fingerprint,
        reason: Option<&Reason>,
    ) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let object = Object::Key(*fingerprint);
        let key = tx
            .read
            .key(fingerprint)
            .await?
            .ok_or_else(|| StoreError::NotFound {
                object: object.clone(),
            })?;
        if let KeyState::Revoked { .. } = key.state {
            return tx.unchanged().await;
        }
        tx.revoke_key_row(fingerprint, &key.user).await?;
        let owner = Concerned::User(&key.user);
        let marked = tx.mark(owner, Does::TakeAway).await?;
        let detail = json!({ "reason": reason.map(Reason::as_str), "user": key.user.as_str() });
        self.written(tx, Event::new(Action::KeyRevoke, &object, &detail), marked)
            .await
    }
}

impl WriteTx {
    /// Refuses a key that is there, or that was there and was revoked.
    async fn is_new(&mut self, key: &Key) -> Result<(), StoreError> {
        let object = Object::Key(key.fingerprint);
        let id = key.fingerprint.to_string();
        match self.read.key(&key.fingerprint).await? {
            None => match self.read.was_ended_before(Ended::Key, &id).await? {
                Found::No => Ok(()),
                Found::Yes => Err(StoreError::Conflict {
                    object,
                    rule: NEVER_BACK,
                }),
            },
            Some(other) if other.user != key.user => Err(StoreError::KeyOfAnotherUser {
                fingerprint: key.fingerprint,
            }),
            Some(Key {
                state: KeyState::Revoked { .. },
                ..
            }) => Err(StoreError::Conflict {
                object,
                rule: NEVER_BACK,
            }),
            Some(_) => Err(StoreError::AlreadyExists { object }),
        }
    }

    pub(crate) async fn revoke_key_row(
        &mut self,
        fingerprint: &Fingerprint,
        user: &UserName,
    ) -> Result<(), StoreError> {
        let id = fingerprint.to_string();
        self.execute(REVOKE, values![&id, self.now]).await?;
        self.relist(user).await
    }
}

const fn revoked_at(key: &Key) -> Option<Timestamp> {
    match key.state {
        KeyState::Active => None,
        KeyState::Revoked { at } => Some(at),
    }
}

#[derive(FromRow)]
pub(crate) struct KeyRow {
    fingerprint: String,
    user_name: String,
    algorithm: String,
    base64: String,
    label: String,
    added_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl Record for KeyRow {
    const TABLE: &'static str = "keys";
    type Item = Key;

    fn parse(self) -> Result<Key, StoreError> {
        let row = Row::new(Self::TABLE, &self.fingerprint);
        let fingerprint = row.value("fingerprint", Fingerprint::parse(&self.fingerprint))?;
        let blob = row.value("base64", KeyBlob::parse(&self.algorithm, &self.base64))?;
        if *blob.fingerprint() != fingerprint {
            return Err(row.wrong("base64", &"the key has another fingerprint"));
        }
        Ok(Key {
            fingerprint,
            user: row.value("user_name", UserName::parse(&self.user_name))?,
            blob,
            label: row.value("label", Label::parse(&self.label))?,
            added_at: Timestamp::from_unix(self.added_at),
            expires_at: moment(self.expires_at),
            state: moment(self.revoked_at).map_or(KeyState::Active, |at| KeyState::Revoked { at }),
        })
    }
}

const NEVER_BACK: &str = "a revoked key never comes back";
