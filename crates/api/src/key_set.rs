//! Which snapshot keys a host believes, as the key server tells it while it exchanges its key: a chain of signed documents.
//!
//! A host is enrolled with one key. Each document names the keys from then on, the newest first, and is believed only when the
//! newest key that the host knows has signed it. So whoever has stolen a key that is being exchanged can't name others to a host
//! that knows its successor, and has nothing any more once the host has read that the successor stands alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::signature::{Namespace, SignatureError, SnapshotKey, SnapshotPublicKey, split};

/// The header of a question and of its answer: the serial of the newest set that the host goes by, and that the key server has.
pub const HEADER: &str = "keyroster-keys";
/// The number in each document, which is raised when old readers could not read a new one rightly.
pub const SCHEMA: u32 = 1;
/// Documents of one chain at most: years of exchanges.
pub const MAX_DOCUMENTS: usize = 256;
/// The largest answer with a chain, in bytes.
pub const MAX_BYTES: usize = 512 * 1024;

/// The keys that hosts go by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Its place among the sets; hosts begin at 0, with the key of their enrolment.
    pub serial: u64,
    /// When it was made, in seconds since the Unix epoch.
    pub issued_at: i64,
    /// One or two keys as OpenSSH lines, the newest first.
    pub keys: Vec<String>,
}

/// `GET /v1/host/keys`: the signed documents after the set that the host names, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyChain {
    /// Each in base64. A set that two keys stand in is there twice, signed by either, for hosts that know only one.
    pub documents: Vec<String>,
}

/// Why a document tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeySetError {
    /// Not signed by the newest key that is known.
    #[error("{0}")]
    Signature(#[from] SignatureError),
    /// Signed, and yet no set of keys that this version knows.
    #[error("the set of snapshot keys can't be read: {0}")]
    Malformed(String),
}

impl KeySet {
    /// The signed document.
    ///
    /// # Errors
    /// When signing fails.
    pub fn sign(&self, key: &SnapshotKey) -> Result<String, SignatureError> {
        let bytes = serde_json::to_vec(self).map_err(|_| SignatureError::Sign)?;
        Ok(STANDARD.encode(key.sign(Namespace::Keys, &bytes)?))
    }

    /// Reads a document without looking at who signed it: for whoever only passes it on.
    ///
    /// # Errors
    /// When it is no set.
    pub fn peek(document: &str) -> Result<Self, KeySetError> {
        let document = STANDARD
            .decode(document)
            .map_err(|_| KeySetError::Malformed("it is not base64".to_owned()))?;
        let (_, bytes) = split(&document)?;
        Self::parse(bytes)
    }

    /// Reads a document by the newest of the keys that are known.
    ///
    /// # Errors
    /// When that key did not sign it, or it is no set.
    pub fn verify(document: &str, known: &SnapshotPublicKey) -> Result<Self, KeySetError> {
        let document = STANDARD
            .decode(document)
            .map_err(|_| KeySetError::Malformed("it is not base64".to_owned()))?;
        Self::parse(known.newest().verify(Namespace::Keys, &document)?)
    }

    fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        let set: Self =
            serde_json::from_slice(bytes).map_err(|err| KeySetError::Malformed(err.to_string()))?;
        match set.schema {
            SCHEMA => Ok(set),
            other => {
                let what = format!("its schema is {other}, and this version reads {SCHEMA}");
                Err(KeySetError::Malformed(what))
            }
        }
    }

    /// The keys.
    ///
    /// # Errors
    /// When there are not one or two.
    pub fn keys(&self) -> Result<SnapshotPublicKey, SignatureError> {
        SnapshotPublicKey::from_openssh(&self.keys.join("\n"))
    }
}

impl KeyChain {
    /// Follows the chain from what is known: the newest keys that it leads to, with their serial. What no known key has signed is
    /// passed over, and what is not newer is left alone.
    #[must_use]
    pub fn follow(
        &self,
        known: &SnapshotPublicKey,
        serial: u64,
    ) -> Option<(SnapshotPublicKey, u64)> {
        let mut found = None;
        for document in self.documents.iter().take(MAX_DOCUMENTS) {
            let (known, serial) = found.as_ref().map_or((known, serial), |(k, s)| (k, *s));
            let Ok(set) = KeySet::verify(document, known) else {
                continue;
            };
            if let (true, Ok(keys)) = (set.serial > serial, set.keys()) {
                found = Some((keys, set.serial));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::SEED_BYTES;

    fn key(seed: u8) -> SnapshotKey {
        SnapshotKey::from_seed(&[seed; SEED_BYTES]).unwrap()
    }

    fn set(serial: u64, keys: &[u8]) -> KeySet {
        let line = |seed: &u8| key(*seed).public().to_openssh().unwrap();
        KeySet {
            schema: SCHEMA,
            serial,
            issued_at: 0,
            keys: keys.iter().map(line).collect(),
        }
    }

    fn known(keys: &[u8]) -> SnapshotPublicKey {
        set(0, keys).keys().unwrap()
    }

    fn chain(documents: &[(KeySet, u8)]) -> KeyChain {
        let signed = documents
            .iter()
            .map(|(set, by)| set.sign(&key(*by)).unwrap());
        KeyChain {
            documents: signed.collect(),
        }
    }

    /// From key 1 to key 2 and on to key 3.
    fn two_exchanges() -> KeyChain {
        chain(&[
            (set(1, &[2, 1]), 1),
            (set(1, &[2, 1]), 2),
            (set(2, &[2]), 2),
            (set(3, &[3, 2]), 2),
            (set(3, &[3, 2]), 3),
            (set(4, &[3]), 3),
        ])
    }

    #[test]
    fn a_host_that_was_away_for_two_exchanges_comes_to_the_newest_key() {
        assert_eq!(
            two_exchanges().follow(&known(&[1]), 0),
            Some((known(&[3]), 4))
        );
        assert_eq!(
            two_exchanges().follow(&known(&[2]), 2),
            Some((known(&[3]), 4))
        );
        assert_eq!(two_exchanges().follow(&known(&[3]), 4), None);
    }

    #[test]
    fn a_host_that_was_enrolled_with_the_newer_key_learns_of_the_older_one() {
        let overlap = chain(&[(set(1, &[2, 1]), 1), (set(1, &[2, 1]), 2)]);
        assert_eq!(overlap.follow(&known(&[2]), 0), Some((known(&[2, 1]), 1)));
    }

    #[test]
    fn a_key_that_is_being_exchanged_names_no_others_to_who_knows_its_successor() {
        let thief = chain(&[(set(9, &[7, 1]), 1), (set(9, &[7]), 1)]);
        assert_eq!(thief.follow(&known(&[2, 1]), 1), None);
        assert_eq!(thief.follow(&known(&[2]), 2), None);
    }

    #[test]
    fn a_set_that_is_not_newer_brings_no_key_back() {
        let replayed = chain(&[(set(1, &[2, 1]), 2)]);
        assert_eq!(replayed.follow(&known(&[2]), 2), None);
        assert_eq!(replayed.follow(&known(&[2]), 1), None);
    }

    #[test]
    fn no_keys_and_three_keys_are_no_set() {
        for keys in [&[][..], &[1, 2, 3]] {
            assert_eq!(chain(&[(set(1, keys), 1)]).follow(&known(&[1]), 0), None);
        }
    }
}
