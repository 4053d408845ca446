//! The heartbeat: the key server's signed word, to one host and for one question, on which snapshot holds now.
//!
//! It stands in a header beside a snapshot, an update, or "not modified", so that those keep their HTTP meaning and a
//! rendered snapshot can serve again. The host chose the nonce, so that nobody between the two can answer with what the key
//! server said earlier: without a heartbeat for its own nonce, a host takes an answer for no answer.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keyroster_roster::{Epoch, ModelError, Revision};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::signature::{Namespace, SignatureError, SnapshotKey, SnapshotPublicKey};
use crate::snapshot::Tag;

/// The schema that this version writes and the only one that it reads.
pub const SCHEMA: u32 = 1;
/// The request header with the host's nonce.
pub const NONCE_HEADER: &str = "keyroster-nonce";
/// The response header with the heartbeat: the signed document in base64.
pub const HEARTBEAT_HEADER: &str = "keyroster-heartbeat";
/// Random bytes of a nonce.
pub const NONCE_BYTES: usize = 16;
/// The longest header value that is read, in bytes; one takes about 750.
pub const MAX_HEADER_BYTES: usize = 2048;

/// What a host makes anew for each question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; NONCE_BYTES]);

/// A text that is no nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a nonce of {NONCE_BYTES} bytes in base64url without padding")]
pub struct NonceError;

/// The signed bytes of a heartbeat, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The id of the host that it is for.
    pub host: String,
    /// The nonce of the question.
    pub nonce: String,
    /// The epoch of the roster.
    pub epoch: u64,
    /// The revision of the snapshot that holds for this host: the one in the answer, or the one that the host named.
    pub revision: u64,
    /// The revision of the roster at which that was found, at least as high.
    pub roster_revision: u64,
    /// The key server's time, in milliseconds since the Unix epoch.
    pub server_time_ms: i64,
}

/// Why a heartbeat was not believed. The answer that came with it counts as none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeartbeatError {
    /// The answer has none.
    #[error("the answer has no heartbeat")]
    Missing,
    /// It is too long, or no base64.
    #[error("the heartbeat can't be read")]
    Unreadable,
    /// Altered, or signed by somebody else.
    #[error("the heartbeat is refused: {0}")]
    Signature(#[from] SignatureError),
    /// Signed, and yet no heartbeat that this version knows.
    #[error("the heartbeat can't be read: {0}")]
    Malformed(String),
    /// For another host.
    #[error("the heartbeat is for host \"{0}\"")]
    OtherHost(String),
    /// For another question: it was said earlier, and comes again.
    #[error("the heartbeat answers another question")]
    OtherQuestion,
}

impl Nonce {
    /// The nonce of these random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; NONCE_BYTES]) -> Self {
        Self(bytes)
    }
}

impl FromStr for Nonce {
    type Err = NonceError;

    fn from_str(text: &str) -> Result<Self, NonceError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NonceError)?;
        bytes.try_into().map(Self).map_err(|_| NonceError)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Heartbeat {
    /// Signs it, as a header's value.
    ///
    /// # Errors
    /// When signing fails; nothing may be said then.
    pub fn to_header(&self, key: &SnapshotKey) -> Result<String, SignatureError> {
        let bytes = serde_json::to_vec(self).map_err(|_| SignatureError::Sign)?;
        Ok(STANDARD.encode(key.sign(Namespace::Heartbeat, &bytes)?))
    }

    /// Reads a header's value: the answer to the question with this nonce, by this host.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn from_header(
        value: &[u8],
        key: &SnapshotPublicKey,
        host: &str,
        nonce: Nonce,
    ) -> Result<Self, HeartbeatError> {
        if value.len() > MAX_HEADER_BYTES {
            return Err(HeartbeatError::Unreadable);
        }
        let document = STANDARD
            .decode(value)
            .map_err(|_| HeartbeatError::Unreadable)?;
        let bytes = key.verify(Namespace::Heartbeat, &document)?;
        let said: Self = serde_json::from_slice(bytes)
            .map_err(|err| HeartbeatError::Malformed(err.to_string()))?;
        if said.schema != SCHEMA {
            let schema = format!(
                "its schema is {}, and this version reads {SCHEMA}",
                said.schema
            );
            return Err(HeartbeatError::Malformed(schema));
        }
        if said.host != host {
            return Err(HeartbeatError::OtherHost(said.host));
        }
        if said.nonce.parse() != Ok(nonce) {
            return Err(HeartbeatError::OtherQuestion);
        }
        Ok(said)
    }

    /// The snapshot that holds.
    ///
    /// # Errors
    /// When a number is out of range.
    pub fn tag(&self) -> Result<Tag, ModelError> {
        Ok(Tag {
            epoch: Epoch::new(self.epoch)?,
            revision: Revision::new(self.revision)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "00000000-0000-7000-8000-000000000001";
    const NONCE: Nonce = Nonce::new([7; NONCE_BYTES]);

    fn key(seed: u8) -> SnapshotKey {
        SnapshotKey::from_seed(&[seed; 32]).unwrap()
    }

    fn heartbeat() -> Heartbeat {
        Heartbeat {
            schema: SCHEMA,
            host: HOST.to_owned(),
            nonce: NONCE.to_string(),
            epoch: 1,
            revision: 41,
            roster_revision: 42,
            server_time_ms: 1_700_000_000_123,
        }
    }

    fn read(value: &str) -> Result<Heartbeat, HeartbeatError> {
        Heartbeat::from_header(value.as_bytes(), &key(1).public(), HOST, NONCE)
    }

    #[test]
    fn a_heartbeat_survives_its_header() {
        let value = heartbeat().to_header(&key(1)).unwrap();
        assert!(value.len() < MAX_HEADER_BYTES / 2, "{}", value.len());
        assert_eq!(read(&value), Ok(heartbeat()));
    }

    #[test]
    fn a_heartbeat_for_another_question_or_host_is_refused() {
        let other = Heartbeat {
            nonce: Nonce::new([8; NONCE_BYTES]).to_string(),
            ..heartbeat()
        };
        let refused = read(&other.to_header(&key(1)).unwrap());
        assert_eq!(refused, Err(HeartbeatError::OtherQuestion));
        let other = Heartbeat {
            host: "another".to_owned(),
            ..heartbeat()
        };
        let refused = read(&other.to_header(&key(1)).unwrap());
        assert_eq!(
            refused,
            Err(HeartbeatError::OtherHost("another".to_owned()))
        );
    }

    #[test]
    fn a_heartbeat_of_another_key_or_of_another_kind_is_refused() {
        let of_other_key = heartbeat().to_header(&key(2)).unwrap();
        let bytes = serde_json::to_vec(&heartbeat()).unwrap();
        let as_snapshot = STANDARD.encode(key(1).sign(Namespace::Snapshot, &bytes).unwrap());
        for value in [of_other_key, as_snapshot] {
            let refused = read(&value);
            assert_eq!(
                refused,
                Err(HeartbeatError::Signature(SignatureError::Signature))
            );
        }
    }

    #[test]
    fn what_is_no_heartbeat_is_refused() {
        for value in ["", "%", "AAAA", &"A".repeat(MAX_HEADER_BYTES + 4)] {
            assert!(read(value).is_err(), "{value}");
        }
        let bytes = b"{\"schema\":1,\"schema\":1}";
        let twice = STANDARD.encode(key(1).sign(Namespace::Heartbeat, bytes).unwrap());
        assert!(matches!(read(&twice), Err(HeartbeatError::Malformed(_))));
        let newer = Heartbeat {
            schema: 2,
            ..heartbeat()
        };
        let newer = newer.to_header(&key(1)).unwrap();
        assert!(matches!(read(&newer), Err(HeartbeatError::Malformed(_))));
    }

    #[test]
    fn a_nonce_survives_its_text_and_nothing_else_is_one() {
        assert_eq!(NONCE.to_string().parse(), Ok(NONCE));
        for text in [
            "",
            "BwcHBwcHBwcHBwcHBwcHBw==",
            "BwcH",
            "BwcHBwcHBwcHBwcHBwcHBwc",
        ] {
            assert_eq!(text.parse::<Nonce>(), Err(NonceError), "{text}");
        }
    }
}
