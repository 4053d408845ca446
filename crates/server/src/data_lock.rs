//! Who works on a data directory: any number of key servers together, or a restore by itself.
//!
//! The lock is the operating system's on an open file, so that nothing stays locked when a process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use thiserror::Error;

use crate::data_dir::{DataDir, FileError};

/// A place at the data directory. Dropped, it is given back.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

/// There is no place at the data directory.
#[derive(Debug, Error)]
pub enum LockError {
    /// A restore is at work: wait for its end.
    #[error("the data directory \"{}\" is being restored", .0.display())]
    BeingRestored(PathBuf),
    /// A key server runs on it, or another program of ours works on it: stop that.
    #[error("a key server works on the data directory \"{}\"", .0.display())]
    InUse(PathBuf),
    /// The lock can't be taken.
    #[error(transparent)]
    File(#[from] FileError),
}

impl DataLock {
    /// Beside others that do the same.
    ///
    /// # Errors
    /// While a restore is at work.
    pub fn share(dir: &DataDir) -> Result<Self, LockError> {
        let file = open(dir)?;
        let locked = file.try_lock_shared();
        Self::of(file, locked, dir, LockError::BeingRestored)
    }

    /// With nobody beside.
    ///
    /// # Errors
    /// While anybody else is at work.
    pub fn alone(dir: &DataDir) -> Result<Self, LockError> {
        let file = open(dir)?;
        let locked = file.try_lock();
        Self::of(file, locked, dir, LockError::InUse)
    }

    fn of(
        file: File,
        locked: Result<(), TryLockError>,
        dir: &DataDir,
        taken: impl FnOnce(PathBuf) -> LockError,
    ) -> Result<Self, LockError> {
        match locked {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(taken(dir.path().to_owned())),
            Err(TryLockError::Error(error)) => Err(failed("lock", dir, error).into()),
        }
    }
}

fn open(dir: &DataDir) -> Result<File, FileError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.lock())
        .map_err(|error| failed("open", dir, error))
}

fn failed(verb: &'static str, dir: &DataDir, error: std::io::Error) -> FileError {
    FileError::Io {
        verb,
        path: dir.lock(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_servers_share_a_directory_and_a_restore_has_it_alone() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::at(place.path());
        let (one, other) = (
            DataLock::share(&dir).unwrap(),
            DataLock::share(&dir).unwrap(),
        );
        assert!(matches!(DataLock::alone(&dir), Err(LockError::InUse(_))));
        drop(one);
        assert!(matches!(DataLock::alone(&dir), Err(LockError::InUse(_))));
        drop(other);
        let _alone = DataLock::alone(&dir).unwrap();
        assert!(matches!(
            DataLock::share(&dir),
            Err(LockError::BeingRestored(_))
        ));
    }
}
