//! Root's own records: what was there before, and what waits for its first login.
//!
//! They are root's and not the host agent's, since who can write them decides what root puts into sshd's configuration. Each is
//! on disk, synced, before the thing that it is about is changed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use keyroster_sshd::DEFAULT_CONFIG;
use keyroster_sshd::would_be::DropIn;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::core::moment::{BootId, Moment};
use crate::enable::error::EnableError;
use crate::enable::file::{Bytes, Content};
use crate::enable::places::Places;
use crate::state::StateDir;
use crate::state::dir::{Lock, Secrecy};

/// Which sshd and drop-in a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Subject {
    /// sshd's program.
    pub sshd: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// The name of the drop-in beside it.
    pub name: String,
}

/// That keyroster is enabled here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Enabled {
    /// Where.
    pub subject: Subject,
    /// What was in the drop-in's place before keyroster.
    pub original: Content,
    /// What was written there.
    pub written: Bytes,
}

/// A change that nobody has confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pending {
    /// Where.
    pub subject: Subject,
    /// What was there before this change.
    pub before: Content,
    /// The record that held before this change.
    pub previous: Option<Enabled>,
    /// What is written.
    pub written: Bytes,
    /// The boot in which it was begun.
    pub boot: String,
    /// Milliseconds of that boot after which it is taken back; none where it stays without a login.
    pub deadline_ms: Option<u64>,
    /// Clock ticks of that boot when sshd had it; none before.
    pub in_effect_since: Option<u64>,
}

/// How a change ended, for whoever waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It stays; who logged in, or said so.
    Confirmed(String),
    /// It was taken back; why.
    TakenBack(String),
}

/// The directory of the records.
#[derive(Debug)]
pub struct Records {
    dir: StateDir,
}

impl Subject {
    /// That of these places.
    #[must_use]
    pub fn of(places: &Places) -> Self {
        Self {
            sshd: places.sshd.binary().path().to_owned(),
            config: places.drop_in.config.clone(),
            name: places.drop_in.name.clone(),
        }
    }

    /// Its drop-in.
    #[must_use]
    pub fn drop_in(&self) -> DropIn {
        DropIn::beside(&self.config, &self.name)
    }
}

impl Pending {
    /// Whether it was begun in this boot.
    #[must_use]
    pub fn is_of(&self, boot: BootId) -> bool {
        BootId::parse(&self.boot) == Some(boot)
    }

    /// Milliseconds until it is taken back.
    #[must_use]
    pub fn left_ms(&self, now: &Moment) -> Option<u64> {
        let now_ms = u64::try_from(now.since_boot.as_millis()).unwrap_or(u64::MAX);
        self.deadline_ms
            .map(|deadline| deadline.saturating_sub(now_ms))
    }
}

impl Records {
    /// Opens the directory, and makes it if it is missing.
    ///
    /// # Errors
    /// When it can't be made, or is anybody's but root's.
    pub fn create(path: &Path) -> Result<Self, EnableError> {
        let dir = StateDir::create(path)?;
        Self::judge(dir)
    }

    /// Opens the directory; none when there is none.
    ///
    /// # Errors
    /// When it is anybody's but root's.
    pub fn open(path: &Path) -> Result<Option<Self>, EnableError> {
        match path.symlink_metadata() {
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(EnableError::io("look at", path, err)),
            Ok(_) => Self::judge(StateDir::open(path)?).map(Some),
        }
    }

    fn judge(dir: StateDir) -> Result<Self, EnableError> {
        use std::os::unix::fs::MetadataExt as _;
        let path = dir.path();
        let metadata = path
            .symlink_metadata()
            .map_err(|err| EnableError::io("look at", path, err))?;
        if metadata.uid() != 0 || !metadata.is_dir() {
            return Err(EnableError::untrusted(path, "it is not root's"));
        }
        Ok(Self { dir })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The lock that whoever changes something holds; none when somebody else does.
    ///
    /// # Errors
    /// When the lock's file can't be made.
    pub fn try_lock(&self) -> Result<Option<Lock>, EnableError> {
        Ok(self.dir.try_lock(LOCK)?)
    }

    /// The lock of whoever waits for the first login.
    ///
    /// # Errors
    /// When the lock's file can't be made.
    pub fn try_watch(&self) -> Result<Option<Lock>, EnableError> {
        Ok(self.dir.try_lock(WATCH)?)
    }

    /// Where keyroster is enabled: one record for each of sshd's configurations.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn enabled(&self) -> Result<Vec<Enabled>, EnableError> {
        Ok(self.read(ENABLED)?.unwrap_or_default())
    }

    /// That keyroster is enabled in a configuration.
    ///
    /// # Errors
    /// When the records can't be read.
    pub fn enabled_in(&self, config: &Path) -> Result<Option<Enabled>, EnableError> {
        let all = self.enabled()?;
        Ok(all.into_iter().find(|one| one.subject.config == config))
    }

    /// What waits for its first login.
    ///
    /// # Errors
    /// When the record can't be read.
    pub fn pending(&self) -> Result<Option<Pending>, EnableError> {
        self.read(PENDING)
    }

    /// How the last change ended.
    ///
    /// # Errors
    /// When the record can't be read.
    pub fn outcome(&self) -> Result<Option<Outcome>, EnableError> {
        self.read(OUTCOME)
    }

    /// Writes down that keyroster is enabled in a configuration.
    ///
    /// # Errors
    /// When it can't be written, or those of other configurations can't be read.
    pub fn set_enabled(&self, enabled: &Enabled) -> Result<(), EnableError> {
        let mut all = self.enabled()?;
        all.retain(|one| one.subject.config != enabled.subject.config);
        all.push(enabled.clone());
        if enabled.subject.config == Path::new(DEFAULT_CONFIG) {
            self.keep_original(&enabled.original)?;
        }
        self.write(ENABLED, Some(&all))
    }

    /// Writes down that it is no longer.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn forget_enabled(&self, config: &Path) -> Result<(), EnableError> {
        // What can't be read says nothing of other configurations either.
        let mut all = self.enabled().unwrap_or_default();
        all.retain(|one| one.subject.config != config);
        self.write(ENABLED, (!all.is_empty()).then_some(&all))?;
        if config == Path::new(DEFAULT_CONFIG) {
            self.dir.remove(ORIGINAL)?;
        }
        Ok(())
    }

    /// The file that was there, for a package's script that has no program of ours left to read records with.
    fn keep_original(&self, original: &Content) -> Result<(), EnableError> {
        let Content::File {
            bytes,
            mode,
            uid,
            gid,
        } = original
        else {
            return Ok(self.dir.remove(ORIGINAL)?);
        };
        self.dir.write(ORIGINAL, &bytes.0)?;
        let path = self.dir.path_of(ORIGINAL);
        let permissions = std::fs::Permissions::from_mode(*mode);
        std::os::unix::fs::chown(&path, Some(*uid), Some(*gid))
            .and_then(|()| std::fs::set_permissions(&path, permissions))
            .map_err(|err| EnableError::io("own", &path, err))
    }

    /// Writes down what waits, or that nothing does.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn set_pending(&self, pending: Option<&Pending>) -> Result<(), EnableError> {
        self.write(PENDING, pending)
    }

    /// Writes down how a change ended, or that one begins.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn set_outcome(&self, outcome: Option<&Outcome>) -> Result<(), EnableError> {
        self.write(OUTCOME, outcome)
    }

    /// The same for the one that waits for it, who goes without where a disk is full: it decides nothing.
    pub fn tell_outcome(&self, outcome: &Outcome) {
        if let Err(err) = self.set_outcome(Some(outcome)) {
            tracing::warn!(%err, ?outcome, "how the change ended can't be written down");
        }
    }

    /// Keeps a file that somebody edited, and says where.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn keep_aside(&self, bytes: &[u8], now: &Moment) -> Result<PathBuf, EnableError> {
        let name = format!("{KEPT}-{}", now.wall_ms);
        self.dir.write(&name, bytes)?;
        Ok(self.dir.path_of(&name))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, EnableError> {
        let Some(bytes) = self.dir.read(name, MAX_BYTES, Secrecy::Public)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| {
            EnableError::untrusted(&self.dir.path_of(name), "it is not what was written")
        })
    }

    fn write<T: Serialize>(&self, name: &str, record: Option<&T>) -> Result<(), EnableError> {
        let Some(record) = record else {
            return Ok(self.dir.remove(name)?);
        };
        let text = serde_json::to_vec_pretty(record)
            .map_err(|err| EnableError::Internal(err.to_string()))?;
        Ok(self.dir.write(name, &text)?)
    }
}

const LOCK: &str = "lock";
const WATCH: &str = "watch";
const ENABLED: &str = "enabled";
const OUTCOME: &str = "outcome";
/// For packaging/scripts/put-back.sh.
const ORIGINAL: &str = "original-10-keyroster.conf";
const KEPT: &str = "edited-10-keyroster.conf";
/// The file that a boot looks for.
pub const PENDING: &str = "pending";
/// Bytes of a record.
const MAX_BYTES: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests;
