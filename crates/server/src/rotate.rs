//! The exchange of the snapshot key or of the CA, step by step: hosts learn of the new one, the key server begins to use it, and the
//! old one is thrown away.
//!
//! No step is written down in a file: where an exchange stands is read off the keys, the certificates and the chain themselves, so that
//! a crash between two files leaves no lie behind. Each step is safe to repeat. One of the two is exchanged at a time: `switch` and
//! `finish` then mean one thing, and a set that hosts are told never has four members.

mod ca;
mod error;
mod snapshot_key;

use keyroster_api::key_set::KeySet;
use keyroster_api::signature::{SignatureError, SnapshotKey};
use keyroster_edge::CaPin;
use keyroster_keys::{Fingerprint, HostName};
use keyroster_roster::{Actor, Timestamp};
use keyroster_store::{RotationStep, RotationVerb, Store};

use crate::credentials::Credential;
use crate::data_dir::{self, DataDir, FileError, read_public, read_secret};
use crate::key_chain::Chain;
use crate::random::Random;

pub use error::RotationError;
pub use keyroster_store::Rotated;

/// Where the exchange stands.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// There is one snapshot key, and one CA.
    Settled,
    /// Hosts learn of the new one; the old one is in force.
    Announced(Rotated),
    /// The new one is in force; hosts still believe the old one.
    Switched(Rotated),
}

/// An exchange in a data directory.
pub struct Rotation<'a> {
    dir: &'a DataDir,
    chain: Chain,
    signing: SnapshotKey,
    /// The certificate of the CA in force.
    ca: CaPin,
    stage: Stage,
}

/// What a step is made with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The roster.
    pub store: &'a Store,
    /// The moment.
    pub now: Timestamp,
    /// Randomness.
    pub random: &'a dyn Random,
}

impl<'a> Rotation<'a> {
    /// Looks at how it stands.
    ///
    /// # Errors
    /// When the files don't go together, or the service manager has the keys.
    pub fn load(dir: &'a DataDir) -> Result<Self, RotationError> {
        let chain = Chain::load(dir)?;
        let key = held(Credential::SnapshotKey, read_secret(&dir.snapshot_key()))?;
        let signing = SnapshotKey::from_openssh(&key)?;
        let pem = read_public(&dir.ca())?;
        let certificate = keyroster_edge::certificate_from_pem(pem.as_bytes())?;
        let ca = CaPin::of(&certificate);
        Ok(Self {
            stage: stage(&chain, &signing, &ca)?,
            dir,
            chain,
            signing,
            ca,
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

    /// The CA in force.
    #[must_use]
    pub const fn ca(&self) -> CaPin {
        self.ca
    }

    /// The newest CA that hosts are told of.
    ///
    /// # Errors
    /// When the chain can't be used.
    pub fn newest_ca(&self) -> Result<CaPin, RotationError> {
        let told = self.chain.cas().first().map(|pin| pin.parse());
        Ok(told
            .transpose()
            .map_err(|_| RotationError::UnknownCa)?
            .unwrap_or(self.ca))
    }

    /// Makes a new one, and tells hosts of it.
    ///
    /// # Errors
    /// When an exchange is under way, or it can't be written.
    pub async fn announce(&mut self, what: Rotated, means: Means<'_>) -> Result<(), RotationError> {
        if self.stage != Stage::Settled {
            return Err(RotationError::Stage(UNDER_WAY));
        }
        if self.chain.is_full() {
            return Err(RotationError::Full);
        }
        // To them a set with a lower serial is old news.
        let mut reader = means.store.read().await?;
        let ahead = reader.hosts_ahead_of_keys(self.serial()).await?;
        drop(reader);
        if let Some((_, host)) = ahead.into_iter().next() {
            return Err(RotationError::Lost(host));
        }
        match what {
            Rotated::SnapshotKey => self.announce_snapshot_key(means).await?,
            Rotated::Ca => self.announce_ca(means).await?,
        }
        self.stage = Stage::Announced(what);
        Ok(())
    }

    /// Goes by the new one from now on.
    ///
    /// # Errors
    /// When hosts do not know it that are not abandoned.
    pub async fn switch(
        &mut self,
        abandoned: &[HostName],
        means: Means<'_>,
    ) -> Result<(), RotationError> {
        let Stage::Announced(what) = self.stage else {
            return Err(RotationError::Stage(NOTHING_NEW));
        };
        all(self.behind(means.store).await?, abandoned).map_err(RotationError::Behind)?;
        match what {
            Rotated::SnapshotKey => self.switch_snapshot_key(abandoned, means).await?,
            Rotated::Ca => self.switch_ca(abandoned, means).await?,
        }
        self.stage = Stage::Switched(what);
        Ok(())
    }

    /// Tells hosts to believe the new one alone, and throws the old one away.
    ///
    /// # Errors
    /// When hosts do not know the new one, or use a certificate of the old CA, that are not abandoned.
    pub async fn finish(
        &mut self,
        abandoned: &[HostName],
        means: Means<'_>,
    ) -> Result<(), RotationError> {
        let Stage::Switched(what) = self.stage else {
            return Err(RotationError::Stage(NOT_CHANGED));
        };
        all(self.behind(means.store).await?, abandoned).map_err(RotationError::Behind)?;
        match what {
            Rotated::SnapshotKey => self.finish_snapshot_key(abandoned, means).await?,
            Rotated::Ca => self.finish_ca(abandoned, means).await?,
        }
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

    /// The hosts whose certificate is not of the newest CA, in order of name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of_older_ca(&self, store: &Store) -> Result<Vec<HostName>, RotationError> {
        let mut reader = store.read().await?;
        let since = self.chain.newest_ca_since();
        let hosts = reader.hosts_of_older_ca(since).await?;
        Ok(hosts.into_iter().map(|(_, name)| name).collect())
    }

    /// Writes down that a step is made, before it is.
    async fn tell(
        &self,
        means: Means<'_>,
        (what, verb): (Rotated, RotationVerb),
        new: Fingerprint,
        abandoned: &[HostName],
    ) -> Result<(), RotationError> {
        let step = RotationStep {
            what,
            verb,
            new,
            serial: match verb {
                RotationVerb::Switch => self.serial(),
                RotationVerb::Announce | RotationVerb::Finish => self.serial().saturating_add(1),
            },
            abandoned,
            uid: rustix::process::geteuid().as_raw(),
        };
        let writer = means.store.write(&Actor::system(), means.now);
        writer.rotate(&step).await?;
        Ok(())
    }

    /// The next set that hosts are told.
    fn set(
        &self,
        now: Timestamp,
        keys: &[&SnapshotKey],
        cas: Vec<String>,
    ) -> Result<KeySet, SignatureError> {
        let lines: Result<Vec<_>, _> = keys.iter().map(|key| key.public().to_openssh()).collect();
        let serial = self.chain.serial().saturating_add(1);
        Ok(KeySet::new(serial, now.as_unix(), lines?, cas))
    }
}

/// Where it stands, by what is in force and what hosts are told.
fn stage(chain: &Chain, signing: &SnapshotKey, ca: &CaPin) -> Result<Stage, RotationError> {
    let ours = signing.public();
    let of_key = match chain.keys()? {
        None => Stage::Settled,
        Some(keys) if keys.newest() == ours && keys.has_older() => {
            Stage::Switched(Rotated::SnapshotKey)
        }
        Some(keys) if keys == ours => Stage::Settled,
        Some(keys) if keys.holds(&ours) => Stage::Announced(Rotated::SnapshotKey),
        Some(_) => return Err(RotationError::UnknownKey),
    };
    let pin = ca.to_string();
    let of_ca = match chain.cas() {
        [] => Stage::Settled,
        [only] if *only == pin => Stage::Settled,
        [_, older] if *older == pin => Stage::Announced(Rotated::Ca),
        [newest, _] if *newest == pin => Stage::Switched(Rotated::Ca),
        _ => return Err(RotationError::UnknownCa),
    };
    Ok(match of_key {
        Stage::Settled => of_ca,
        of_key => of_key,
    })
}

/// A secret of the data directory. One that is not there is in the hands of the service manager.
fn held<T>(secret: Credential, read: Result<T, FileError>) -> Result<T, RotationError> {
    read.map_err(|error| match error.is_missing() {
        true => RotationError::HandedOver(secret.name()),
        false => error.into(),
    })
}

/// Whether none is left of these hosts but such as are abandoned.
fn all(mut hosts: Vec<HostName>, abandoned: &[HostName]) -> Result<(), Vec<HostName>> {
    hosts.retain(|host| !abandoned.contains(host));
    match hosts.is_empty() {
        true => Ok(()),
        false => Err(hosts),
    }
}

const UNDER_WAY: &str = "an exchange is under way, and one is made at a time";
const NOTHING_NEW: &str = "there is nothing new to change over to";
const NOT_CHANGED: &str = "the key server does not go by a new key or a new CA";

#[cfg(test)]
mod tests;
