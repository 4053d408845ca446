//! What a server works with, read from its data directory.

use keyroster_api::signature::{SignatureError, SnapshotKey};
use keyroster_store::{Journal, Location, LocationError, Store, StoreError};
use thiserror::Error;

use crate::ca::{Ca, CaError};
use crate::config::Config;
use crate::data_dir::{DataDir, FileError, read_public, read_secret};

/// The roster and the keys.
pub struct Opened {
    /// The roster.
    pub store: Store,
    /// The certificate authority.
    pub ca: Ca,
    /// Signs snapshots.
    pub snapshot_key: SnapshotKey,
}

/// A data directory that can't be used. Whoever runs the server has to put it right.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A file can't be read, or others may read it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The CA can't be used.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The snapshot key can't be used.
    #[error(transparent)]
    SnapshotKey(#[from] SignatureError),
    /// The database's URL can't be used.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The database does not answer, or is none of ours.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the roster and reads the keys.
///
/// # Errors
/// When a file or the database can't be used.
pub async fn open(dir: &DataDir, config: &Config) -> Result<Opened, OpenError> {
    let ca = Ca::load(&read_public(&dir.ca())?, &read_secret(&dir.ca_key())?)?;
    let snapshot_key = SnapshotKey::from_openssh(&read_secret(&dir.snapshot_key())?)?;
    let store = open_store(dir, config).await?;
    Ok(Opened {
        store,
        ca,
        snapshot_key,
    })
}

/// Opens the roster alone.
///
/// # Errors
/// When the database can't be used.
pub async fn open_store(dir: &DataDir, config: &Config) -> Result<Store, OpenError> {
    let location = Location::parse(config.database_url(dir).as_str())?;
    let journal = Journal::at(&config.journal(dir));
    Ok(Store::open(&location).await?.with_journal(journal))
}
