//! The update: what changed on one host between two revisions, instead of the whole snapshot.
//!
//! Accounts are replaced as a whole; one without keys is gone. What an update makes of the snapshot before it is fixed by a
//! [digest](crate::digest), so that a host which held something else notices, and asks for the whole. An update never
//! crosses an epoch.
//!
//! A signed document like the snapshot: see [`crate::signature`].

use keyroster_roster::{Epoch, ModelError, Revision};
use serde::{Deserialize, Serialize};

use crate::freshness::FreshnessBody;
use crate::snapshot::{Account, Tag};

/// The schema that this version writes and the only one that it reads.
pub const SCHEMA: u32 = 1;
/// Media type of the signed document. A host that names it in `Accept` may be answered with one.
pub const CONTENT_TYPE: &str = "application/vnd.keyroster.update";
/// The largest signed document that is written or read, in bytes. What would be larger is told as a whole snapshot.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The signed bytes of an update, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The id of the host that it is for.
    pub host: String,
    /// The epoch of both revisions.
    pub epoch: u64,
    /// The revision that it changes: the one that the host named.
    pub from_revision: u64,
    /// The revision that it makes, higher than the one before.
    pub revision: u64,
    /// When it was made, in seconds since the Unix epoch.
    pub issued_at: i64,
    /// Hash of the newest audit event, in hex, as in a snapshot.
    pub audit_head: String,
    /// How stale an answer may be on this host from now on.
    pub freshness: FreshnessBody,
    /// Whether sessions that were opened with a key end when the key is revoked, from now on.
    pub end_sessions: bool,
    /// The accounts that changed, sorted by name, each as it is now.
    pub accounts: Vec<Account>,
    /// The digest of all accounts after the change, in hex.
    pub digest: String,
}

impl Update {
    /// The snapshot that it changes.
    ///
    /// # Errors
    /// When a number is out of range.
    pub fn from(&self) -> Result<Tag, ModelError> {
        self.tag_at(self.from_revision)
    }

    /// The snapshot that it makes.
    ///
    /// # Errors
    /// When a number is out of range.
    pub fn to(&self) -> Result<Tag, ModelError> {
        self.tag_at(self.revision)
    }

    fn tag_at(&self, revision: u64) -> Result<Tag, ModelError> {
        Ok(Tag {
            epoch: Epoch::new(self.epoch)?,
            revision: Revision::new(revision)?,
        })
    }
}
