//! `backup`: a copy of the roster, made while the key server goes on.

use std::path::{Path, PathBuf};

use keyroster_store::{Location, LocationError, Store, StoreError};
use thiserror::Error;

use crate::config::Config;
use crate::data_dir::{DataDir, FileError, rename_new, sync_dir};

/// Why there is no backup.
#[derive(Debug, Error)]
pub enum BackupError {
    /// There is something at the path already, which is never touched.
    #[error("\"{}\" exists already", .0.display())]
    Exists(PathBuf),
    /// The roster is in PostgreSQL.
    #[error("the roster is in a PostgreSQL database, which has tools of its own for backups")]
    Postgres,
    /// The database's URL can't be used.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The roster can't be read, or the copy can't be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The copy can't be put in its place.
    #[error(transparent)]
    File(#[from] FileError),
}

impl BackupError {
    /// What the admin can do about it, where there is one thing.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists(_) => Some("name another file; what is there is never overwritten"),
            Self::Postgres => Some(
                "`pg_dump --format=custom --file=FILE URL`; docs/restore.md has the whole of it",
            ),
            _ => None,
        }
    }
}

/// Copies the roster into a new file.
///
/// # Errors
/// When the file exists, or something can't be read or written; no file of that name is left behind then.
pub async fn back_up(dir: &DataDir, config: &Config, to: &Path) -> Result<(), BackupError> {
    let Location::Sqlite(roster) = Location::parse(config.database_url(dir).as_str())? else {
        return Err(BackupError::Postgres);
    };
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    // Under another name until it is whole: half a backup must not pass for one.
    let partial = beside(to, ".partial");
    let copied = Store::back_up(&roster, &partial).await;
    let placed = copied.map_err(BackupError::from).and_then(|()| {
        rename_new(&partial, to)?;
        sync_dir(parent(to)).map_err(BackupError::from)
    });
    let is_anothers = matches!(
        &placed,
        Err(BackupError::Store(StoreError::Location(
            LocationError::FileExists { .. }
        )))
    );
    if placed.is_err() && !is_anothers {
        // What it holds is of no use, and it is ours.
        let _ = std::fs::remove_file(&partial);
    }
    placed
}

/// The same path with something added to its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The directory that a file is in.
pub(crate) fn parent(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
