//! The chain of signed documents that tells hosts which snapshot keys to go by, as it lies in the data directory.
//!
//! It is public: each document stands by its signature. A key server reads it when it starts; `rotate` makes it longer.

use keyroster_api::key_set::{KeyChain, KeySet, KeySetError};
use keyroster_api::signature::{SignatureError, SnapshotPublicKey};
use thiserror::Error;

use crate::data_dir::{DataDir, FileError, read_public, replace};

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
        let chain: KeyChain = serde_json::from_str(&read_public(&path)?)?;
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

    /// From where a host goes on that is enrolled with one key: from the newest set if that key is all of it, else from the one before.
    #[must_use]
    pub fn first_serial(&self) -> u64 {
        self.newest().map_or(0, |set| match set.keys.len() {
            1 => set.serial,
            _ => set.serial.saturating_sub(1),
        })
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
