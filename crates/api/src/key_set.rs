//! Which snapshot keys and which CAs a host believes, as the key server tells it while it exchanges one of them: a chain of signed
//! documents.
//!
//! A host is enrolled with one key and one CA. Each document names the keys from then on, the newest first, and is believed only when the
//! newest key that the host knows has signed it. So whoever has stolen a key that is being exchanged can't name others to a host
//! that knows its successor, and has nothing any more once the host has read that the successor stands alone.
//!
//! CAs are named by the SHA-256 of their certificates. The certificates themselves are public and come from elsewhere
//! ([`crate::paths::CA`]); what is signed stays short, and the chain of many years with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::signature::{Namespace, SignatureError, SnapshotKey, SnapshotPublicKey, split};

/// The header of a question and of its answer: the serial of the newest set that the host goes by, and that the key server has.
pub const HEADER: &str = "keyroster-keys";
/// The header of an answer to people, once the CA was exchanged: the fingerprints of the CAs, the newest first, with a space between
/// two. A hint, like the other.
pub const CAS_HEADER: &str = "keyroster-cas";
/// The number in each document, which is raised when old readers could not read a new one rightly.
pub const SCHEMA: u32 = 1;
/// The same of a document that names CAs: a host that knows nothing of these must not count as one that goes by them.
pub const SCHEMA_WITH_CAS: u32 = 2;
/// Documents of one chain at most: years of exchanges.
pub const MAX_DOCUMENTS: usize = 256;
/// The largest answer with a chain, in bytes.
pub const MAX_BYTES: usize = 512 * 1024;
/// CAs of one set at most: one, or two while they are exchanged.
pub const MAX_CAS: usize = 2;

/// What hosts go by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// [`SCHEMA`], or where CAs are named [`SCHEMA_WITH_CAS`].
    pub schema: u32,
    /// Its place among the sets; hosts begin at 0, with the key of their enrolment.
    pub serial: u64,
    /// When it was made, in seconds since the Unix epoch.
    pub issued_at: i64,
    /// One or two keys as OpenSSH lines, the newest first.
    pub keys: Vec<String>,
    /// The fingerprints of one or two CAs, the newest first. None as long as the CA was never exchanged: hosts go by that of their
    /// enrolment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cas: Vec<String>,
}

/// What a chain leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The snapshot keys.
    pub keys: SnapshotPublicKey,
    /// The fingerprints of the CAs; none as in [`KeySet::cas`].
    pub cas: Vec<String>,
    /// The serial of the set.
    pub serial: u64,
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
    /// A set, with the schema that it needs.
    #[must_use]
    pub fn new(serial: u64, issued_at: i64, keys: Vec<String>, cas: Vec<String>) -> Self {
        Self {
            schema: match cas.is_empty() {
                true => SCHEMA,
                false => SCHEMA_WITH_CAS,
            },
            serial,
            issued_at,
            keys,
            cas,
        }
    }

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
        let wrong = match (set.schema, set.cas.len()) {
            (SCHEMA, 0) | (SCHEMA_WITH_CAS, 1..=MAX_CAS) => return Ok(set),
            (SCHEMA | SCHEMA_WITH_CAS, count) => {
                format!("it names {count} CAs, which is not what its schema says")
            }
            (other, _) => {
                format!("its schema is {other}, and this version reads up to {SCHEMA_WITH_CAS}")
            }
        };
        Err(KeySetError::Malformed(wrong))
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
    pub fn follow(&self, known: &SnapshotPublicKey, serial: u64) -> Option<Trusted> {
        let mut found: Option<Trusted> = None;
        for document in self.documents.iter().take(MAX_DOCUMENTS) {
            let (known, serial) = found
                .as_ref()
                .map_or((known, serial), |found| (&found.keys, found.serial));
            let Ok(set) = KeySet::verify(document, known) else {
                continue;
            };
            if let (true, Ok(keys)) = (set.serial > serial, set.keys()) {
                found = Some(Trusted {
                    keys,
                    cas: set.cas,
                    serial: set.serial,
                });
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
        KeySet::new(serial, 0, keys.iter().map(line).collect(), Vec::new())
    }

    fn with_cas(set: KeySet, cas: &[&str]) -> KeySet {
        let cas = cas.iter().map(|&ca| ca.to_owned()).collect();
        KeySet::new(set.serial, set.issued_at, set.keys, cas)
    }

    fn led_to(keys: &[u8], serial: u64) -> Option<Trusted> {
        Some(Trusted {
            keys: known(keys),
            cas: Vec::new(),
            serial,
        })
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
        assert_eq!(two_exchanges().follow(&known(&[1]), 0), led_to(&[3], 4));
        assert_eq!(two_exchanges().follow(&known(&[2]), 2), led_to(&[3], 4));
        assert_eq!(two_exchanges().follow(&known(&[3]), 4), None);
    }

    #[test]
    fn a_host_that_was_enrolled_with_the_newer_key_learns_of_the_older_one() {
        let overlap = chain(&[(set(1, &[2, 1]), 1), (set(1, &[2, 1]), 2)]);
        assert_eq!(overlap.follow(&known(&[2]), 0), led_to(&[2, 1], 1));
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
    fn the_cas_that_hold_are_those_of_the_newest_set() {
        let exchange = [
            (with_cas(set(1, &[1]), &["new", "old"]), 1),
            (with_cas(set(2, &[1]), &["new"]), 1),
        ];
        let cas = |upto: usize| {
            let led = chain(&exchange[..upto]).follow(&known(&[1]), 0);
            led.unwrap().cas
        };
        assert_eq!(cas(1), ["new", "old"]);
        assert_eq!(cas(2), ["new"]);
        // Signed by whoever has another key, a CA is nobody's.
        let thief = chain(&[(with_cas(set(3, &[1]), &["thief"]), 7)]);
        assert_eq!(thief.follow(&known(&[1]), 2), None);
    }

    #[test]
    fn a_set_that_names_cas_is_none_to_a_reader_that_knows_nothing_of_them() {
        let mut named = with_cas(set(1, &[1]), &["new"]);
        assert_eq!(named.schema, SCHEMA_WITH_CAS);
        for (schema, cas) in [
            (SCHEMA, vec!["new"]),
            (SCHEMA_WITH_CAS, vec![]),
            (SCHEMA_WITH_CAS, vec!["a", "b", "c"]),
            (3, vec!["new"]),
        ] {
            named.schema = schema;
            named.cas = cas.into_iter().map(str::to_owned).collect();
            let document = named.sign(&key(1)).unwrap();
            assert!(KeySet::peek(&document).is_err(), "{schema}");
        }
    }

    #[test]
    fn no_keys_and_three_keys_are_no_set() {
        for keys in [&[][..], &[1, 2, 3]] {
            assert_eq!(chain(&[(set(1, keys), 1)]).follow(&known(&[1]), 0), None);
        }
    }
}
