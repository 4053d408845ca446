//! What a server works with, read from its data directory.

use std::path::PathBuf;

use keyroster_api::signature::{SignatureError, SnapshotKey};
use keyroster_store::{Journal, Location, LocationError, Store, StoreError};
use thiserror::Error;

use crate::ca::{Authorities, AuthoritiesError};
use crate::config::Config;
use crate::credentials::{Credential, Credentials};
use crate::data_dir::{DataDir, FileError, read_secret};
use crate::key_chain::{Chain, ChainError};

/// The roster and the keys.
pub struct Opened {
    /// The roster.
    pub store: Store,
    /// The certificate authorities.
    pub ca: Authorities,
    /// Signs snapshots.
    pub snapshot_key: SnapshotKey,
    /// What hosts are told about snapshot keys.
    pub key_chain: Chain,
}

/// A data directory that can't be used. Whoever runs the server has to put it right.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A file can't be read, or others may read it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The CA can't be used.
    #[error(transparent)]
    Ca(#[from] AuthoritiesError),
    /// The snapshot key can't be used.
    #[error(transparent)]
    SnapshotKey(#[from] SignatureError),
    /// The chain of snapshot keys can't be used.
    #[error(transparent)]
    KeyChain(#[from] ChainError),
    /// The database's URL can't be used.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The database does not answer, or is none of ours.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the roster and reads the keys: those that were handed over, else those of the data directory.
///
/// # Errors
/// When a file or the database can't be used.
pub async fn open(
    dir: &DataDir,
    config: &Config,
    credentials: &Credentials,
) -> Result<Opened, OpenError> {
    let secret = |credential, path: PathBuf| match credentials.read(credential)? {
        Some(text) => Ok(text),
        None => read_secret(&path),
    };
    let key_chain = Chain::load(dir)?;
    let ca = Authorities::load(dir, credentials, &key_chain)?;
    let snapshot_key =
        SnapshotKey::from_openssh(&secret(Credential::SnapshotKey, dir.snapshot_key())?)?;
    let store = open_store(dir, config).await?;
    Ok(Opened {
        store,
        ca,
        snapshot_key,
        key_chain,
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::clock::SystemClock;
    use crate::data_dir::write_secret;
    use crate::init::init;
    use crate::random::OsRandom;

    struct Made {
        _root: tempfile::TempDir,
        dir: DataDir,
        config: Config,
        handed: PathBuf,
    }

    async fn made() -> Made {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::at(&root.path().join("data"));
        let config = Config::new(&[], None, None).unwrap();
        init(dir.path(), &config, &SystemClock, &OsRandom)
            .await
            .unwrap();
        let handed = root.path().join("credentials");
        fs::create_dir(&handed).unwrap();
        Made {
            dir,
            config,
            handed,
            _root: root,
        }
    }

    #[tokio::test]
    async fn keys_that_were_handed_over_need_not_lie_in_the_data_directory() {
        let made = made().await;
        for (file, credential) in [
            (made.dir.ca_key(), Credential::CaKey),
            (made.dir.snapshot_key(), Credential::SnapshotKey),
        ] {
            fs::rename(file, made.handed.join(credential.name())).unwrap();
        }
        let none = Credentials::at(None);
        assert!(open(&made.dir, &made.config, &none).await.is_err());
        let credentials = Credentials::at(Some(made.handed.into_os_string()));
        assert!(open(&made.dir, &made.config, &credentials).await.is_ok());
    }

    #[tokio::test]
    async fn a_key_that_was_handed_over_and_belongs_to_another_ca_is_refused() {
        let (made, other) = (made().await, made().await);
        let key = read_secret(&other.dir.ca_key()).unwrap();
        write_secret(&made.handed.join(Credential::CaKey.name()), &key).unwrap();
        let credentials = Credentials::at(Some(made.handed.into_os_string()));
        let refused = open(&made.dir, &made.config, &credentials).await;
        assert!(matches!(refused, Err(OpenError::Ca(_))));
    }
}
