//! The chain of signed documents that tells hosts which snapshot keys and which CAs to go by, as it lies in the data directory.
//!
//! It is public: each document stands by its signature. A key server reads it when it starts; `rotate` makes it longer.

use keyroster_api::key_set::{KeyChain, KeySet, KeySetError, MAX_BYTES, MAX_DOCUMENTS};
use keyroster_api::signature::{SignatureError, SnapshotPublicKey};
use thiserror::Error;

use crate::data_dir::{DataDir, FileError, read_long, replace};

/// The documents, and what they come to.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    documents: Vec<(String, KeySet)>,
}

/// The chain in the data directory can't be used.
#[derive(Debug, Error)]
pub enum ChainError {
    /// The file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A document in it is none.
    #[error("snapshot-keys.json can't be used: {0}")]
    Document(#[from] KeySetError),
    /// The file is no chain.
    #[error("snapshot-keys.json can't be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Its keys are none.
    #[error("snapshot-keys.json can't be used: {0}")]
    Key(#[from] SignatureError),
}

impl Chain {
    /// Reads the chain; an empty one where keys were never exchanged.
    ///
    /// # Errors
    /// When the file is there and can't be used.
    pub fn load(dir: &DataDir) -> Result<Self, ChainError> {
        let path = dir.key_chain();
        if !path.exists() {
            return Ok(Self::default());
        }
        let chain: KeyChain = serde_json::from_str(&read_long(&path, MAX_BYTES as u64)?)?;
        let read = |document: String| {
            let set = KeySet::peek(&document)?;
            Ok((document, set))
        };
        let documents: Result<_, KeySetError> = chain.documents.into_iter().map(read).collect();
        Ok(Self {
            documents: documents?,
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it can't be written; the old one is still there then.
    pub fn save(&self, dir: &DataDir) -> Result<(), ChainError> {
        let text = serde_json::to_string_pretty(&self.after(0))?;
        Ok(replace(&dir.key_chain(), &format!("{text}\n"))?)
    }

    /// Adds a document.
    pub fn push(&mut self, document: String, set: KeySet) {
        self.documents.push((document, set));
    }

    /// The newest set; none where keys were never exchanged.
    #[must_use]
    pub fn newest(&self) -> Option<&KeySet> {
        self.documents.last().map(|(_, set)| set)
    }

    /// The serial of the newest set; 0 where there is none.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.newest().map_or(0, |set| set.serial)
    }

    /// From where a host goes on that is enrolled with one key and one CA: from the newest set if they are all of it, else from the one
    /// before.
    #[must_use]
    pub fn first_serial(&self) -> u64 {
        self.newest()
            .map_or(0, |set| match (set.keys.len(), set.cas.len()) {
                (1, 0 | 1) => set.serial,
                _ => set.serial.saturating_sub(1),
            })
    }

    /// The fingerprints of the CAs that hosts are told to go by, the newest first; none where CAs were never exchanged.
    #[must_use]
    pub fn cas(&self) -> &[String] {
        self.newest().map_or(&[], |set| &set.cas)
    }

    /// The serial of the set that made the newest CA known; 0 where CAs were never exchanged.
    #[must_use]
    pub fn newest_ca_since(&self) -> u64 {
        let newest = self.cas().first();
        let made_known = |(_, set): &&(String, KeySet)| set.cas.first() == newest;
        newest
            .and_then(|_| self.documents.iter().find(made_known))
            .map_or(0, |(_, set)| set.serial)
    }

    /// Whether there is no room for one more exchange.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.documents.len() + DOCUMENTS_OF_AN_EXCHANGE > MAX_DOCUMENTS
    }

    /// The keys of the newest set.
    ///
    /// # Errors
    /// When they are none.
    pub fn keys(&self) -> Result<Option<SnapshotPublicKey>, SignatureError> {
        self.newest().map(KeySet::keys).transpose()
    }

    /// What is to be told to a host that goes by this set.
    #[must_use]
    pub fn after(&self, serial: u64) -> KeyChain {
        let newer = self.documents.iter().filter(|(_, set)| set.serial > serial);
        KeyChain {
            documents: newer.map(|(document, _)| document.clone()).collect(),
        }
    }
}

/// Documents that one exchange adds: its beginning, for two keys, and its end.
const DOCUMENTS_OF_AN_EXCHANGE: usize = 3;

#[cfg(test)]
mod tests {
    use keyroster_api::signature::{SEED_BYTES, SnapshotKey};

    use super::*;

    fn chain(sets: &[(u64, &[&str])]) -> Chain {
        let key = SnapshotKey::from_seed(&[1; SEED_BYTES]).unwrap();
        let line = key.public().to_openssh().unwrap();
        let mut chain = Chain::default();
        for (serial, cas) in sets {
            let cas = cas.iter().map(|&ca| ca.to_owned()).collect();
            let set = KeySet::new(*serial, 0, vec![line.clone()], cas);
            chain.push(set.sign(&key).unwrap(), set);
        }
        chain
    }

    #[test]
    fn a_host_that_is_enrolled_while_a_ca_is_exchanged_has_the_newest_set_still_to_follow() {
        assert_eq!(chain(&[]).first_serial(), 0);
        assert_eq!(chain(&[(1, &["b", "a"])]).first_serial(), 0);
        assert_eq!(chain(&[(1, &["b", "a"]), (2, &["b"])]).first_serial(), 2);
    }

    #[test]
    fn a_ca_is_the_newest_since_the_set_that_named_it_first() {
        assert_eq!(chain(&[(3, &[])]).newest_ca_since(), 0);
        let exchanged = chain(&[(1, &["b", "a"]), (2, &["b"]), (3, &["b"])]);
        assert_eq!(exchanged.newest_ca_since(), 1);
        let again = chain(&[(1, &["b", "a"]), (2, &["b"]), (4, &["c", "b"])]);
        assert_eq!(again.newest_ca_since(), 4);
    }

    #[test]
    fn a_chain_of_many_years_is_read_back_and_takes_no_exchange_that_could_not_be() {
        let cas = [
            "SHA256:".to_owned() + &"x".repeat(43),
            "SHA256:".to_owned() + &"y".repeat(43),
        ];
        let cas = cas.each_ref().map(String::as_str);
        let sets: Vec<_> = (1..MAX_DOCUMENTS as u64)
            .map(|serial| (serial, cas.as_slice()))
            .collect();
        let long = chain(&sets);
        assert!(long.is_full() && !chain(&sets[3..]).is_full());
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::at(root.path());
        long.save(&dir).unwrap();
        assert_eq!(Chain::load(&dir).unwrap().serial(), long.serial());
    }
}
