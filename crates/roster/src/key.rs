use keyroster_keys::{Fingerprint, KeyBlob, UserName};

use crate::{Label, Timestamp};

/// A public key in the roster. It has exactly one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key's id.
    pub fingerprint: Fingerprint,
    /// The owner.
    pub user: UserName,
    /// Algorithm and public key.
    pub blob: KeyBlob,
    /// What the owner calls it.
    pub label: Label,
    /// When it was added.
    pub added_at: Timestamp,
    /// The first moment at which it no longer works.
    pub expires_at: Option<Timestamp>,
    /// Whether it has been taken back.
    pub state: KeyState,
}

/// Whether a key has been taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// It works, until it expires.
    Active,
    /// It works nowhere, and never will again.
    Revoked {
        /// When it was taken back; for the record, for it ended at once.
        at: Timestamp,
    },
}
