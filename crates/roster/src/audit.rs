//! The audit log as a chain: what of an event is hashed, and how a chain is checked.
//!
//! Here and not in the store, because whoever has the events can check them: the key server over its database, the CLI
//! over the API. The hash function is a parameter, so that this crate needs none. The encoding is told in
//! `docs/audit-log.md`; it never changes, for it would break every chain that exists.

use std::fmt;

use crate::{ModelError, Revision, Timestamp};

/// One event of the audit log, with the texts exactly as they were hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its place in the chain: from 1, without holes.
    pub sequence: u64,
    /// The revision of the roster that the change made.
    pub revision: Revision,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What was done, such as `key.revoke`.
    pub action: String,
    /// To what, such as a fingerprint.
    pub object: String,
    /// More about it, as JSON; never a secret.
    pub detail: String,
    /// The hash of the event before.
    pub previous_hash: EventHash,
    /// The hash of this event.
    pub hash: EventHash,
}

/// The SHA-256 of an event. As text: 64 digits of lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventHash([u8; HASH_BYTES]);

/// The end of the chain: whoever keeps it is a witness of everything before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuditHead {
    /// The newest event's place; 0 when there is none.
    pub sequence: u64,
    /// Its hash; zeros when there is none.
    pub hash: EventHash,
}

/// Checks a chain event by event, in order.
#[derive(Debug, Clone, Copy)]
pub struct ChainCheck {
    head: AuditHead,
    sha256: fn(&[u8]) -> [u8; HASH_BYTES],
}

/// How an event fits the chain before it.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// It does.
    Holds,
    /// Its place is not the next one: events were removed, added or put in another order.
    OutOfPlace {
        /// The place that was to come.
        expected: u64,
    },
    /// It does not continue the event before it.
    Unlinked,
    /// It is not what it was when it was hashed.
    Changed,
}

impl AuditEvent {
    /// The bytes that are hashed: each field but the hash itself, a number in eight bytes big endian, a text as its length
    /// in bytes, so written, and then its bytes, the hash as its 32 bytes; before them all [`HASHED_PREFIX`].
    #[must_use]
    pub fn hashed_bytes(&self) -> Vec<u8> {
        let mut bytes = HASHED_PREFIX.to_vec();
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.revision.get().to_be_bytes());
        bytes.extend(self.at.as_unix().to_be_bytes());
        for text in [&self.actor, &self.action, &self.object, &self.detail] {
            bytes.extend(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend(self.previous_hash.0);
        bytes
    }

    /// The end of a log whose newest event this is.
    #[must_use]
    pub const fn head(&self) -> AuditHead {
        AuditHead {
            sequence: self.sequence,
            hash: self.hash,
        }
    }
}

impl ChainCheck {
    /// A check from the first event on.
    #[must_use]
    pub const fn from_start(sha256: fn(&[u8]) -> [u8; HASH_BYTES]) -> Self {
        Self::after(AuditHead::START, sha256)
    }

    /// A check of what follows a head that somebody witnessed.
    #[must_use]
    pub const fn after(head: AuditHead, sha256: fn(&[u8]) -> [u8; HASH_BYTES]) -> Self {
        Self { head, sha256 }
    }

    /// Checks the next event, and takes it as the new head if it fits.
    pub fn next(&mut self, event: &AuditEvent) -> Link {
        let expected = self.head.sequence.saturating_add(1);
        if event.sequence != expected {
            return Link::OutOfPlace { expected };
        }
        if event.previous_hash != self.head.hash {
            return Link::Unlinked;
        }
        if EventHash((self.sha256)(&event.hashed_bytes())) != event.hash {
            return Link::Changed;
        }
        self.head = AuditHead {
            sequence: event.sequence,
            hash: event.hash,
        };
        Link::Holds
    }

    /// The last event that fitted.
    #[must_use]
    pub const fn head(&self) -> AuditHead {
        self.head
    }
}

impl AuditHead {
    /// The head of an empty log.
    pub const START: Self = Self {
        sequence: 0,
        hash: EventHash::ZERO,
    };
}

impl EventHash {
    /// What stands before the first event.
    pub const ZERO: Self = Self([0; HASH_BYTES]);

    /// Takes a SHA-256.
    #[must_use]
    pub const fn new(digest: [u8; HASH_BYTES]) -> Self {
        Self(digest)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// Reads 64 digits of lower-case hexadecimal.
    ///
    /// # Errors
    /// When the text is not of this form.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let refused = || ModelError::Id {
            what: "hash of an audit event",
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() || pairs.len() != HASH_BYTES {
            return Err(refused());
        }
        let mut digest = [0; HASH_BYTES];
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = nibble(*high).ok_or_else(refused)? << 4 | nibble(*low).ok_or_else(refused)?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventHash({self})")
    }
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// What the hashed bytes of every event begin with, so that they are no other message of ours.
pub const HASHED_PREFIX: &[u8] = b"keyroster-audit-event@v1";

/// Bytes in a SHA-256.
pub const HASH_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// No SHA-256, but it tells these events apart; the real one is the store's to test.
    fn digest(bytes: &[u8]) -> [u8; HASH_BYTES] {
        let mut digest = [0_u8; HASH_BYTES];
        for (at, byte) in bytes.iter().enumerate() {
            let place = &mut digest[at % HASH_BYTES];
            *place = place.wrapping_mul(31).wrapping_add(*byte);
        }
        digest
    }

    fn event(sequence: u64, previous_hash: EventHash) -> AuditEvent {
        let mut event = AuditEvent {
            sequence,
            revision: Revision::new(sequence + 7).unwrap(),
            at: Timestamp::from_unix(1_795_250_096),
            actor: "alice".into(),
            action: "user.add".into(),
            object: "bob".into(),
            detail: "{}".into(),
            previous_hash,
            hash: EventHash::ZERO,
        };
        event.hash = EventHash(digest(&event.hashed_bytes()));
        event
    }

    fn chain() -> [AuditEvent; 3] {
        let first = event(1, EventHash::ZERO);
        let second = event(2, first.hash);
        let third = event(3, second.hash);
        [first, second, third]
    }

    #[test]
    fn a_whole_chain_holds_and_ends_at_its_head() {
        let mut check = ChainCheck::from_start(digest);
        for event in chain() {
            assert_eq!(check.next(&event), Link::Holds);
        }
        assert_eq!(
            check.head(),
            AuditHead {
                sequence: 3,
                hash: chain()[2].hash
            }
        );
    }

    #[test]
    fn a_removed_a_moved_and_an_exchanged_event_are_found() {
        let [first, second, third] = chain();
        let mut check = ChainCheck::from_start(digest);
        assert_eq!(check.next(&second), Link::OutOfPlace { expected: 1 });
        assert_eq!(check.next(&first), Link::Holds);
        assert_eq!(check.next(&third), Link::OutOfPlace { expected: 2 });
        assert_eq!(check.next(&event(2, EventHash::ZERO)), Link::Unlinked);
        assert_eq!(check.next(&second), Link::Holds);
    }

    #[test]
    fn no_field_can_change_unseen() {
        let changes: [fn(&mut AuditEvent); 7] = [
            |event| event.revision = Revision::MAX,
            |event| event.at = event.at.saturating_add(1),
            |event| event.actor.push('x'),
            |event| event.action.push('x'),
            |event| event.object.push('x'),
            |event| event.detail.push('x'),
            |event| event.hash = EventHash::ZERO,
        ];
        for change in changes {
            let mut changed = event(1, EventHash::ZERO);
            change(&mut changed);
            assert_eq!(
                ChainCheck::from_start(digest).next(&changed),
                Link::Changed,
                "{changed:?}"
            );
        }
    }

    #[test]
    fn no_text_can_flow_into_its_neighbour() {
        let one = AuditEvent {
            actor: "ab".into(),
            action: "c".into(),
            ..event(1, EventHash::ZERO)
        };
        let other = AuditEvent {
            actor: "a".into(),
            action: "bc".into(),
            ..event(1, EventHash::ZERO)
        };
        assert_ne!(one.hashed_bytes(), other.hashed_bytes());
    }

    #[test]
    fn a_hash_is_64_digits_of_lower_case_hexadecimal() {
        let text = "00ff".repeat(16);
        assert_eq!(EventHash::parse(&text).unwrap().to_string(), text);
        for bad in [
            "",
            "00",
            &"0".repeat(63),
            &"0".repeat(65),
            &"0".repeat(66),
            &"FF".repeat(32),
            &"é".repeat(32),
        ] {
            assert!(EventHash::parse(bad).is_err(), "{bad}");
        }
    }
}
