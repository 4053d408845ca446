//! The audit log: one event per change, chained by hash.

use keyroster_roster::{AuditEvent, EventHash, ModelError, Revision, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::time;

pub use keyroster_roster::{ChainCheck, Link};

/// One event of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventView {
    /// Place in the chain, from 1, without holes.
    pub sequence: u64,
    /// The revision of the roster that the change made.
    pub revision: u64,
    /// When.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Who: the name of a token, `host:<id>`, or `system`.
    pub actor: String,
    /// What was done, for example `key.revoke`.
    pub action: String,
    /// To what, for example `SHA256:…`.
    pub object: String,
    /// More about the change, as canonical JSON text; never a secret.
    pub detail: String,
    /// SHA-256 of the event before, in hex; zeros for the first.
    pub previous_hash: String,
    /// SHA-256 of this event, in hex: how it is computed stands in `docs/audit-log.md`.
    pub hash: String,
}

/// `GET /v1/audit/head`: the end of the chain, for those who keep a witness of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditHead {
    /// The newest event's place in the chain; 0 when there is none.
    pub sequence: u64,
    /// Its hash, in hex.
    pub hash: String,
}

impl EventView {
    /// The event with its hashes read, as a [`ChainCheck`] takes it.
    ///
    /// # Errors
    /// When the revision is out of range, or a hash is not of its form: then the event is not as it was when it was hashed.
    pub fn to_event(&self) -> Result<AuditEvent, ModelError> {
        Ok(AuditEvent {
            sequence: self.sequence,
            revision: Revision::new(self.revision)?,
            at: self.at,
            actor: self.actor.clone(),
            action: self.action.clone(),
            object: self.object.clone(),
            detail: self.detail.clone(),
            previous_hash: EventHash::parse(&self.previous_hash)?,
            hash: EventHash::parse(&self.hash)?,
        })
    }
}

impl From<&AuditEvent> for EventView {
    fn from(event: &AuditEvent) -> Self {
        Self {
            sequence: event.sequence,
            revision: event.revision.get(),
            at: event.at,
            actor: event.actor.clone(),
            action: event.action.clone(),
            object: event.object.clone(),
            detail: event.detail.clone(),
            previous_hash: event.previous_hash.to_string(),
            hash: event.hash.to_string(),
        }
    }
}

/// A check of the whole chain, from its first event on.
#[must_use]
pub fn chain_check() -> ChainCheck {
    ChainCheck::from_start(|bytes| Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> EventView {
        let mut event = AuditEvent {
            sequence: 1,
            revision: Revision::new(7).unwrap(),
            at: Timestamp::from_unix(1_795_250_096),
            actor: "system".into(),
            action: "user.add".into(),
            object: "alice".into(),
            detail: r#"{"kind":"person"}"#.into(),
            previous_hash: EventHash::ZERO,
            hash: EventHash::ZERO,
        };
        event.hash = EventHash::new(Sha256::digest(event.hashed_bytes()).into());
        EventView::from(&event)
    }

    #[test]
    fn an_event_that_travelled_as_json_still_fits_its_chain() {
        let text = serde_json::to_string(&event()).unwrap();
        let arrived: EventView = serde_json::from_str(&text).unwrap();
        assert_eq!(
            chain_check().next(&arrived.to_event().unwrap()),
            Link::Holds
        );
    }

    #[test]
    fn an_event_that_was_changed_on_the_way_does_not() {
        let changed = EventView {
            object: "mallory".into(),
            ..event()
        };
        assert_eq!(
            chain_check().next(&changed.to_event().unwrap()),
            Link::Changed
        );
        let unreadable = EventView {
            hash: "0".into(),
            ..event()
        };
        assert!(unreadable.to_event().is_err());
    }
}
