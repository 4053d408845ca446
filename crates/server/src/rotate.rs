//! The exchange of the snapshot key, step by step: hosts learn of the new key, the key server begins to sign with it, and the old
//! one is thrown away.
//!
//! No step is written down: where an exchange stands is read off the keys and the chain themselves, so that a crash between two
//! files leaves no lie behind. Each step is safe to repeat.

use keyroster_api::key_set::{KeySet, SCHEMA};
use keyroster_api::signature::{SEED_BYTES, SignatureError, SnapshotKey};
use keyroster_keys::HostName;
use keyroster_roster::Timestamp;
use keyroster_store::{Store, StoreError};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::data_dir::{self, DataDir, FileError, read_secret};
use crate::key_chain::{Chain, ChainError};
use crate::random::{Random, RandomError, random_bytes};

/// Where the exchange stands.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// There is one key.
    Settled,
    /// Hosts learn of the new key; the old one signs.
    Announced,
    /// The new one signs; hosts still believe the old one.
    Switched,
}

/// A key exchange in a data directory.
pub struct Rotation<'a> {
    dir: &'a DataDir,
    chain: Chain,
    signing: SnapshotKey,
    stage: Stage,
}

/// Why a step was not made. Nothing was changed.
#[derive(Debug, Error)]
pub enum RotationError {
    /// A file can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The chain can't be used.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A key can't be used.
    #[error(transparent)]
    Key(#[from] SignatureError),
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The exchange stands elsewhere.
    #[error("{0}")]
    Stage(&'static str),
    /// The signing key is in no set that hosts were told.
    #[error("the snapshot key is none that hosts were told of")]
    UnknownKey,
    /// The chain was lost, or an older one was put in its place.
    #[error("\"{0}\" goes by a later set of snapshot keys than snapshot-keys.json has")]
    Lost(HostName),
    /// Hosts do not know the new key.
    #[error("{} do not know the new snapshot key: {}", hosts(.0.len()), names(.0))]
    Behind(Vec<HostName>),
}

impl<'a> Rotation<'a> {
    /// Looks at how it stands.
    ///
    /// # Errors
    /// When the files don't go together.
    pub fn load(dir: &'a DataDir) -> Result<Self, RotationError> {
        let chain = Chain::load(dir)?;
        let signing = SnapshotKey::from_openssh(&read_secret(&dir.snapshot_key())?)?;
        let ours = signing.public();
        let stage = match chain.keys()? {
            None => Stage::Settled,
            Some(keys) if keys.newest() == ours && keys.has_older() => Stage::Switched,
            Some(keys) if keys == ours => Stage::Settled,
            Some(keys) if keys.holds(&ours) => Stage::Announced,
            Some(_) => return Err(RotationError::UnknownKey),
        };
        Ok(Self {
            dir,
            chain,
            signing,
            stage,
        })
    }

    /// Where it stands.
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// The serial of the newest set that hosts are told.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.chain.serial()
    }

    /// Makes a new key, and tells hosts of it.
    ///
    /// # Errors
    /// When an exchange is under way, or it can't be written.
    pub async fn announce(
        &mut self,
        store: &Store,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<(), RotationError> {
        if self.stage != Stage::Settled {
            return Err(RotationError::Stage(
                "an exchange of the snapshot key is under way",
            ));
        }
        // To them a set with a lower serial is old news.
        let mut reader = store.read().await?;
        let ahead = reader.hosts_ahead_of_keys(self.serial()).await?;
        if let Some((_, host)) = ahead.into_iter().next() {
            return Err(RotationError::Lost(host));
        }
        let seed = Zeroizing::new(random_bytes::<SEED_BYTES>(random)?);
        let next = SnapshotKey::from_seed(&seed)?;
        let set = self.set(now, &[&next, &self.signing])?;
        for key in [&self.signing, &next] {
            self.chain.push(set.sign(key)?, set.clone());
        }
        // The key before the word of it: a key that nobody was told of is made anew.
        data_dir::replace(&self.dir.next_snapshot_key(), &next.to_openssh()?)?;
        self.chain.save(self.dir)?;
        self.stage = Stage::Announced;
        Ok(())
    }

    /// Signs with the new key from now on.
    ///
    /// # Errors
    /// When hosts do not know it that are not abandoned.
    pub async fn switch(
        &mut self,
        store: &Store,
        abandoned: &[HostName],
    ) -> Result<(), RotationError> {
        if self.stage != Stage::Announced {
            return Err(RotationError::Stage(
                "there is no new key to change over to",
            ));
        }
        self.all_know(store, abandoned).await?;
        let next = SnapshotKey::from_openssh(&read_secret(&self.dir.next_snapshot_key())?)?;
        if self.chain.keys()?.map(|keys| keys.newest()) != Some(next.public()) {
            return Err(RotationError::UnknownKey);
        }
        // In one step: at no moment is there no key to sign with.
        data_dir::exchange(&self.dir.next_snapshot_key(), &self.dir.snapshot_key())?;
        self.signing = next;
        self.stage = Stage::Switched;
        self.write_public()
    }

    /// Tells hosts to believe the new key alone, and throws the old one away.
    ///
    /// # Errors
    /// When hosts do not know the new one that are not abandoned.
    pub async fn finish(
        &mut self,
        store: &Store,
        abandoned: &[HostName],
        now: Timestamp,
    ) -> Result<(), RotationError> {
        if self.stage != Stage::Switched {
            return Err(RotationError::Stage(
                "the key server does not sign with a new key",
            ));
        }
        self.all_know(store, abandoned).await?;
        let set = self.set(now, &[&self.signing])?;
        self.chain.push(set.sign(&self.signing)?, set);
        // There is no way back from here: the old key goes first, so that it is not left behind.
        data_dir::remove(&self.dir.next_snapshot_key())?;
        self.write_public()?;
        self.chain.save(self.dir)?;
        self.stage = Stage::Settled;
        Ok(())
    }

    /// The hosts that do not go by the newest set, in order of name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn behind(&self, store: &Store) -> Result<Vec<HostName>, RotationError> {
        let mut reader = store.read().await?;
        let hosts = reader.hosts_behind_keys(self.serial()).await?;
        Ok(hosts.into_iter().map(|(_, name)| name).collect())
    }

    fn write_public(&self) -> Result<(), RotationError> {
        let line = format!("{}\n", self.signing.public().to_openssh()?);
        let path = self.dir.snapshot_key_public();
        Ok(data_dir::replace_public(&path, &line)?)
    }

    async fn all_know(&self, store: &Store, abandoned: &[HostName]) -> Result<(), RotationError> {
        let mut behind = self.behind(store).await?;
        behind.retain(|host| !abandoned.contains(host));
        match behind.is_empty() {
            true => Ok(()),
            false => Err(RotationError::Behind(behind)),
        }
    }

    fn set(&self, now: Timestamp, keys: &[&SnapshotKey]) -> Result<KeySet, SignatureError> {
        let lines: Result<Vec<_>, _> = keys.iter().map(|key| key.public().to_openssh()).collect();
        Ok(KeySet {
            schema: SCHEMA,
            serial: self.chain.serial().saturating_add(1),
            issued_at: now.as_unix(),
            keys: lines?,
        })
    }
}

fn hosts(count: usize) -> String {
    match count {
        1 => "1 host".to_owned(),
        count => format!("{count} hosts"),
    }
}

fn names(hosts: &[HostName]) -> String {
    let shown: Vec<_> = hosts.iter().take(MAX_NAMES).map(HostName::as_str).collect();
    let more = hosts.len() - shown.len();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Hosts that an error names.
const MAX_NAMES: usize = 20;
