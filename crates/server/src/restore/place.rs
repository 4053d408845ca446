//! The roster's place in the file system, and what takes it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use keyroster_store::{RestoreMode, Restored, Store};

use crate::backup::{beside, parent};
use crate::clock::Clock;
use crate::data_dir::{FileError, rename_new, sync_dir};
use crate::restore::{Reached, RestoreError, Step};

/// A copy of the backup beside the roster.
pub struct Staged {
    store: Store,
    file: PathBuf,
    roster: PathBuf,
}

impl Staged {
    /// Makes the copy, in place of one that a crash left behind, and checks that it is a roster.
    pub async fn make(roster: &Path, backup: &Path) -> Result<Self, RestoreError> {
        let file = beside(roster, STAGED);
        remove_all(&file)?;
        match Store::open_copy(backup, &file).await {
            Ok(store) => Ok(Self {
                store,
                file,
                roster: roster.to_owned(),
            }),
            Err(source) => {
                remove_all(&file)?;
                let path = backup.to_owned();
                Err(RestoreError::Backup { path, source })
            }
        }
    }

    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Puts the copy in the roster's place, if it was restored and that is meant; else removes it.
    pub async fn finish(
        self,
        restored: Option<&Restored>,
        mode: RestoreMode,
        clock: &dyn Clock,
        reached: Reached<'_>,
    ) -> Result<Option<PathBuf>, RestoreError> {
        // The last connection that is closed brings everything into the one file.
        self.store.close().await;
        if restored.is_none() || mode == RestoreMode::DryRun {
            remove_all(&self.file)?;
            return Ok(None);
        }
        let dir = parent(&self.roster);
        let synced = fs::File::open(&self.file).and_then(|file| file.sync_all());
        synced.map_err(|error| failed("sync", &self.file, error))?;
        sync_dir(dir)?;
        reached(Step::Staged)?;
        let kept = self.keep(clock)?;
        sync_dir(dir)?;
        reached(Step::Kept)?;
        remove(&self.roster)?;
        sync_dir(dir)?;
        reached(Step::OldGone)?;
        for companion in COMPANIONS {
            remove(&beside(&self.roster, companion))?;
        }
        sync_dir(dir)?;
        reached(Step::CompanionsGone)?;
        rename_new(&self.file, &self.roster)?;
        sync_dir(dir)?;
        reached(Step::Placed)?;
        Ok(kept)
    }

    /// Gives what is in place a second name, with the files that belong to it.
    fn keep(&self, clock: &dyn Clock) -> Result<Option<PathBuf>, RestoreError> {
        let moment = clock.now().to_string().replace(':', "-");
        let mut name = beside(&self.roster, &format!("{KEPT}{moment}"));
        for number in 2..MAX_KEPT {
            if !exists_with_companions(&name) {
                break;
            }
            name = beside(&self.roster, &format!("{KEPT}{moment}-{number}"));
        }
        let mut kept = None;
        for suffix in std::iter::once("").chain(COMPANIONS) {
            let (from, to) = (beside(&self.roster, suffix), beside(&name, suffix));
            match fs::hard_link(&from, &to) {
                Ok(()) => kept = Some(name.clone()),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed("keep", &from, error).into()),
            }
        }
        Ok(kept)
    }
}

fn exists_with_companions(file: &Path) -> bool {
    let mut suffixes = std::iter::once("").chain(COMPANIONS);
    suffixes.any(|suffix| beside(file, suffix).symlink_metadata().is_ok())
}

/// Removes a file and its companions, where they are there.
fn remove_all(file: &Path) -> Result<(), FileError> {
    for suffix in std::iter::once("").chain(COMPANIONS) {
        remove(&beside(file, suffix))?;
    }
    Ok(())
}

fn remove(file: &Path) -> Result<(), FileError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", file, error)),
        _ => Ok(()),
    }
}

fn failed(verb: &'static str, path: &Path, error: std::io::Error) -> FileError {
    FileError::Io {
        verb,
        path: path.to_owned(),
        error,
    }
}

/// What the copy's name ends with.
const STAGED: &str = ".restoring";

/// What the old roster's second name goes on with, before the moment.
const KEPT: &str = ".before-";

/// Rosters that are kept in one second.
const MAX_KEPT: u32 = 100;

/// What the names of files end with that SQLite keeps beside a database. The first holds writes that are not in it yet.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
