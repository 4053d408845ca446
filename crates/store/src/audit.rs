//! The audit log: one event per change, chained by hash. `docs/audit-log.md` tells how to check it without this code.

use keyroster_roster::{
    Actor, AuditEvent, AuditHead, ChainCheck, EventHash, Link, Revision, Timestamp,
};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use sqlx::FromRow;

use crate::StoreError;
use crate::action::Action;
use crate::db::{Record, Tx, statements, values};
use crate::error::Object;
use crate::journal::Weight;
use crate::page::{Limit, Page};
use crate::read::{Reader, Row};
use crate::state::{self, RosterState};

/// What a check of the whole audit log found.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditVerdict {
    /// Every event is what it was, in its place, up to this head.
    Intact(AuditHead),
    /// An event does not fit.
    Broken {
        /// Its place.
        sequence: u64,
        /// How it does not fit.
        link: Link,
    },
    /// Every event fits, but the log does not end where it was written to: events are missing at its end, or were added.
    WrongEnd {
        /// Where it ends.
        found: AuditHead,
        /// Where it was written to.
        written: AuditHead,
    },
}

/// What a write tells the audit log.
pub(crate) struct Event {
    pub action: Action,
    pub object: String,
    pub detail: String,
    /// What it is to the revocation journal.
    pub weight: Weight,
}

impl Event {
    pub fn new(action: Action, object: &Object, detail: &Json) -> Self {
        Self {
            action,
            object: object.id(),
            detail: detail.to_string(),
            weight: Weight::of(action, detail),
        }
    }
}

statements! {
    APPEND = "insert into audit_events \
        (sequence, revision, occurred_at, actor, action, object, detail, previous_hash, hash) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    LIST = "select sequence, revision, occurred_at, actor, action, object, detail, previous_hash, hash \
        from audit_events where sequence > $1 order by sequence limit $2";
    OF_REVISION = "select sequence, revision, occurred_at, actor, action, object, detail, previous_hash, hash \
        from audit_events where revision = $1";
    NEWEST = "select sequence, revision, occurred_at, actor, action, object, detail, previous_hash, hash \
        from audit_events where object = $1 and action = $2 order by revision desc limit 1";
}

impl Reader {
    /// Events in order, after the one in place `after` (0 for the first page).
    pub async fn audit_events(
        &mut self,
        after: u64,
        limit: Limit,
    ) -> Result<Page<AuditEvent, u64>, StoreError> {
        let items = self.events(after, limit).await?;
        for event in &items {
            check_texts(event)?;
        }
        Ok(Page::of(items, limit, |event| event.sequence))
    }

    /// The revision that last did this to this object: for whoever asks to do it again, and has to know since when it is done.
    pub async fn last_done(
        &mut self,
        action: Action,
        object: &Object,
    ) -> Result<Option<Revision>, StoreError> {
        let id = object.id();
        let of_object = values![&id, action.as_str()];
        let event = self.tx.first::<EventRow>(NEWEST, of_object).await?;
        Ok(event.map(|event| event.revision))
    }

    /// When a revision was made; `None` if none was.
    pub async fn written_at(
        &mut self,
        revision: Revision,
    ) -> Result<Option<Timestamp>, StoreError> {
        let of_revision = values![revision.as_i64()];
        let event = self.tx.first::<EventRow>(OF_REVISION, of_revision).await?;
        Ok(event.map(|event| event.at))
    }

    /// Checks every event, a page at a time.
    pub async fn verify_audit(&mut self) -> Result<AuditVerdict, StoreError> {
        let written = self.state().await?.head;
        let mut check = ChainCheck::from_start(sha256);
        loop {
            let events = self.events(check.head().sequence, Limit::MAX).await?;
            if events.is_empty() {
                break;
            }
            for event in events {
                match check.next(&event) {
                    Link::Holds => {}
                    link => {
                        return Ok(AuditVerdict::Broken {
                            sequence: event.sequence,
                            link,
                        });
                    }
                }
            }
        }
        match check.head() {
            found if found == written => Ok(AuditVerdict::Intact(found)),
            found => Ok(AuditVerdict::WrongEnd { found, written }),
        }
    }

    async fn events(&mut self, after: u64, limit: Limit) -> Result<Vec<AuditEvent>, StoreError> {
        // Higher places than a column can hold come after all others.
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.tx
            .all::<EventRow>(LIST, values![after, limit.and_one()])
            .await
    }
}

/// Adds an event to the chain, in the transaction whose change it tells.
pub(crate) async fn append(
    tx: &mut Tx,
    state: &RosterState,
    actor: &Actor,
    now: Timestamp,
    event: Event,
) -> Result<AuditEvent, StoreError> {
    let mut event = AuditEvent {
        sequence: state.head.sequence.saturating_add(1),
        revision: state.revision,
        at: now,
        actor: actor.to_string(),
        action: event.action.as_str().to_owned(),
        object: event.object,
        detail: event.detail,
        previous_hash: state.head.hash,
        hash: EventHash::ZERO,
    };
    event.hash = EventHash::new(sha256(&event.hashed_bytes()));
    let numbers = (event.sequence.cast_signed(), event.revision.as_i64());
    let hashes = (event.previous_hash.to_string(), event.hash.to_string());
    let texts = values![
        numbers.0,
        numbers.1,
        event.at,
        &event.actor,
        &event.action,
        &event.object,
        &event.detail,
        &hashes.0,
        &hashes.1,
    ];
    tx.execute(APPEND, texts).await?;
    let head = event.head();
    state::set_head(tx, head).await?;
    Ok(event)
}

/// What is shown to people must be what we wrote: a text that could drive a terminal was written by somebody else.
fn check_texts(event: &AuditEvent) -> Result<(), StoreError> {
    let id = event.sequence.to_string();
    let row = Row::new(EventRow::TABLE, &id);
    row.value("actor", Actor::parse(&event.actor))?;
    if Action::parse(&event.action).is_none() {
        return Err(row.wrong("action", &"it is unknown"));
    }
    for (column, text) in [("object", &event.object), ("detail", &event.detail)] {
        if text.chars().any(char::is_control) {
            return Err(row.wrong(column, &"it holds a control character"));
        }
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[derive(FromRow)]
pub(crate) struct EventRow {
    sequence: i64,
    revision: i64,
    occurred_at: i64,
    actor: String,
    action: String,
    object: String,
    detail: String,
    previous_hash: String,
    hash: String,
}

impl Record for EventRow {
    const TABLE: &'static str = "audit_events";
    type Item = AuditEvent;

    fn parse(self) -> Result<AuditEvent, StoreError> {
        let id = self.sequence.to_string();
        let row = Row::new(Self::TABLE, &id);
        Ok(AuditEvent {
            sequence: row.value("sequence", u64::try_from(self.sequence))?,
            revision: row.value("revision", Revision::try_from(self.revision))?,
            at: Timestamp::from_unix(self.occurred_at),
            previous_hash: row.value("previous_hash", EventHash::parse(&self.previous_hash))?,
            hash: row.value("hash", EventHash::parse(&self.hash))?,
            actor: self.actor,
            action: self.action,
            object: self.object,
            detail: self.detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/audit-log.md");

    fn event(sequence: u64, at: i64, texts: [&str; 4], previous_hash: EventHash) -> AuditEvent {
        let [actor, action, object, detail] = texts.map(str::to_owned);
        let mut event = AuditEvent {
            sequence,
            revision: Revision::new(sequence).unwrap(),
            at: Timestamp::from_unix(at),
            actor,
            action,
            object,
            detail,
            previous_hash,
            hash: EventHash::ZERO,
        };
        event.hash = EventHash::new(sha256(&event.hashed_bytes()));
        event
    }

    #[test]
    fn the_example_in_the_docs_has_the_hashes_that_we_compute() {
        let token = r#"{"expires_at":"2027-11-21T08:34:56Z","role":"admin"}"#;
        let user = r#"{"kind":"person","owner":null,"state":"active"}"#;
        let first = event(
            1,
            1_795_250_096,
            ["system", "token.add", "first-admin", token],
            EventHash::ZERO,
        );
        let second = event(
            2,
            1_795_250_161,
            ["first-admin", "user.add", "alice", user],
            first.hash,
        );
        for text in [
            token,
            user,
            &first.hash.to_string(),
            &second.hash.to_string(),
        ] {
            assert!(PAGE.contains(text), "{text}");
        }
    }

    #[test]
    fn the_docs_name_every_action() {
        for action in Action::ALL {
            assert!(
                PAGE.contains(&format!("`{}`", action.as_str())),
                "{}",
                action.as_str()
            );
        }
    }
}
