//! The list on disk: the signed document in the state directory, and the KRL that sshd reads.
//!
//! The two are written one after the other, so after a crash either may be the newer one. Neither is ever replaced by an
//! older list: the KRL says which list it was made of, and that counts as seen.

use std::sync::Arc;

use keyroster_api::revoked_keys::{MAX_BYTES, Received, RevokedKeys};
use keyroster_api::signature::SnapshotPublicKey;
use keyroster_api::snapshot::Tag;
use keyroster_keys::Fingerprints;
use keyroster_roster::{Epoch, Revision};

use crate::core::revoked::Refusal;
use crate::revoked::krl_file::{Found, KrlFile, KrlFileError, Stamp};
use crate::state::dir::Secrecy;
use crate::state::files::REVOKED_KEYS;
use crate::state::{StateDir, StateError};

/// Tag and keys of a list that is not signed, or not any more.
pub type Seen = Arc<(Tag, Fingerprints)>;

/// Where the list is kept.
#[derive(Debug)]
pub struct Disk {
    dir: StateDir,
    krl: Option<KrlFile>,
    /// The list that is in the state directory.
    kept: Option<Tag>,
    /// The list that is in the KRL, and the file as it was then.
    written: Option<(Tag, Stamp)>,
    /// The list in the KRL as it was found, where that is the newest one known.
    floor: Option<Seen>,
}

/// Something on the disk that was not used, or not written.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The document in it is refused.
    #[error("the list of revoked keys on disk is refused: {0}")]
    Document(Refusal),
    /// The KRL.
    #[error(transparent)]
    Krl(#[from] KrlFileError),
    /// The KRL is damaged, and there is nothing to mend it with.
    #[error(
        "\"{0}\" is damaged: sshd refuses every key until the key server has told which are revoked"
    )]
    Damaged(std::path::PathBuf),
}

impl Disk {
    /// Nothing has been read or written yet.
    #[must_use]
    pub fn new(dir: StateDir, krl: Option<KrlFile>) -> Self {
        Self {
            dir,
            krl,
            kept: None,
            written: None,
            floor: None,
        }
    }

    /// The list of last time, and what of the disk is not used.
    pub fn load(&mut self, key: &SnapshotPublicKey) -> (Option<RevokedKeys>, Vec<DiskError>) {
        let mut doubts = Vec::new();
        let list = self.load_document(key).unwrap_or_else(|doubt| {
            doubts.push(doubt);
            None
        });
        self.kept = list.as_ref().map(RevokedKeys::tag);
        if let Err(doubt) = self.look_at_krl(list.as_ref()) {
            doubts.push(doubt);
        }
        (list, doubts)
    }

    fn load_document(&self, key: &SnapshotPublicKey) -> Result<Option<RevokedKeys>, DiskError> {
        let Some(document) = self.dir.read(REVOKED_KEYS, MAX_BYTES, Secrecy::Public)? else {
            return Ok(None);
        };
        let received = Received::verify(&document, key);
        let list = received.and_then(|received| received.complete(None));
        list.map(Some)
            .map_err(|error| DiskError::Document(error.into()))
    }

    /// Finds out what sshd reads. Where that is nothing at all, it gets an empty list, or it would refuse every key.
    fn look_at_krl(&mut self, list: Option<&RevokedKeys>) -> Result<(), DiskError> {
        let Some(krl) = &self.krl else {
            return Ok(());
        };
        match (krl.read()?, list) {
            (Found::List(tag, keys), Some(list)) if tag == list.tag() && keys == *list.keys() => {
                self.written = krl.stamp().map(|stamp| (tag, stamp));
            }
            (Found::List(tag, keys), list) => {
                if list.is_none_or(|list| list.tag() <= tag) {
                    self.floor = Some(Arc::new((tag, keys)));
                }
            }
            // What is there is replaced by the list that is known.
            (Found::Nothing | Found::Damaged, Some(_)) => {}
            (Found::Nothing, None) => {
                tracing::warn!(path = %krl.path().display(), "no revoked keys are known yet; sshd gets an empty list");
                krl.put_empty(NOTHING)?;
            }
            (Found::Damaged, None) => return Err(DiskError::Damaged(krl.path())),
        }
        Ok(())
    }

    /// What was seen before, besides the list that is held.
    #[must_use]
    pub fn floor(&self) -> Option<Seen> {
        self.floor.clone()
    }

    /// Writes what is not on the disk yet, and what is not any more.
    ///
    /// # Errors
    /// With the first thing that could not be written. The other was tried all the same.
    pub fn keep(&mut self, list: &RevokedKeys) -> Result<(), DiskError> {
        let krl = self.keep_krl(list);
        if self.kept != Some(list.tag()) {
            self.dir.write(REVOKED_KEYS, &list.to_document())?;
            self.kept = Some(list.tag());
        }
        Ok(krl?)
    }

    fn keep_krl(&mut self, list: &RevokedKeys) -> Result<(), KrlFileError> {
        let Some(krl) = &self.krl else {
            return Ok(());
        };
        if self
            .floor
            .as_ref()
            .is_some_and(|floor| list.tag() < floor.0)
        {
            return Ok(());
        }
        if let Some((tag, stamp)) = self.written {
            match krl.stamp() {
                Some(now) if now == stamp && tag == list.tag() => return Ok(()),
                Some(now) if now == stamp => {}
                _ => {
                    tracing::error!(path = %krl.path().display(), "somebody changed or removed the list that sshd reads; it is written again");
                }
            }
        }
        let stamp = krl.put(list)?;
        self.written = Some((list.tag(), stamp));
        self.floor = None;
        tracing::info!(
            path = %krl.path().display(),
            keys = list.keys().len(),
            epoch = list.tag().epoch.get(),
            revision = list.tag().revision.get(),
            "sshd refuses the revoked keys"
        );
        if list.keys().len() > SLOW_KEYS {
            tracing::warn!(
                keys = list.keys().len(),
                "sshd reads this many revoked keys anew for each key that is offered, which takes it a while"
            );
        }
        Ok(())
    }
}

/// The tag of the empty list before the first.
const NOTHING: Tag = Tag {
    epoch: Epoch::ZERO,
    revision: Revision::ZERO,
};

/// Revoked keys from which on sshd's reading them is felt in each login.
const SLOW_KEYS: usize = 20_000;
