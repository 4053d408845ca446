//! Where a data directory is made until it is whole.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::data_dir::{self, DataDir};
use crate::init::InitError;
use crate::random::{Random, random_bytes};

/// A temporary directory on the file system of the one that is wanted. Dropped, it is removed with all that is in it.
pub struct Stage {
    temporary: PathBuf,
    wanted: PathBuf,
    kind: Kind,
}

/// What is at the path.
enum Kind {
    /// Nothing: the finished directory takes the path in one step.
    New,
    /// An empty directory that somebody has made for us, as packages do in places where we may make none: the files
    /// are moved into it, and the one without which nothing runs comes last.
    Empty,
}

impl Stage {
    /// Makes the temporary directory.
    ///
    /// # Errors
    /// When something else than an empty directory of our own is at the path.
    pub fn prepare(path: &Path, random: &dyn Random) -> Result<Self, InitError> {
        let unique = format!(".init-{:016x}", u64::from_be_bytes(random_bytes(random)?));
        let (temporary, kind) = match fs::symlink_metadata(path) {
            Err(_) => (beside(path, &unique)?, Kind::New),
            Ok(found) if found.is_dir() && is_empty(path) => {
                DataDir::open(path)?;
                (path.join(unique), Kind::Empty)
            }
            Ok(_) => return Err(InitError::Exists(path.to_owned())),
        };
        DataDir::create(&temporary)?;
        Ok(Self {
            temporary,
            wanted: path.to_owned(),
            kind,
        })
    }

    /// The directory to fill.
    pub fn dir(&self) -> DataDir {
        DataDir::at(&self.temporary)
    }

    /// Puts the finished directory in its place.
    ///
    /// # Errors
    /// When something has appeared there meanwhile; nothing of ours stays then.
    pub fn publish(self) -> Result<(), InitError> {
        let failed = |error| InitError::Rename {
            path: self.wanted.clone(),
            error,
        };
        match self.kind {
            Kind::New => rename(&self.temporary, &self.wanted).map_err(failed)?,
            Kind::Empty => {
                let mut moved = Vec::new();
                self.move_files(&mut moved).map_err(|error| {
                    for path in moved {
                        // What made it fail is what counts.
                        let _ = fs::remove_file(path);
                    }
                    failed(error)
                })?;
                data_dir::sync_dir(&self.wanted)?;
            }
        }
        let parent = self
            .wanted
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        Ok(data_dir::sync_dir(parent.unwrap_or(Path::new(".")))?)
    }

    fn move_files(&self, moved: &mut Vec<PathBuf>) -> io::Result<()> {
        let last = self.dir().config();
        let entries = fs::read_dir(&self.temporary)?.collect::<io::Result<Vec<_>>>()?;
        let mut files: Vec<PathBuf> = entries
            .iter()
            .map(fs::DirEntry::path)
            .filter(|path| *path != last)
            .collect();
        files.push(last);
        for file in files {
            let Some(name) = file.file_name() else {
                continue;
            };
            let place = self.wanted.join(name);
            rename(&file, &place)?;
            moved.push(place);
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // After a rename it is not there any more; if it can't be removed, its name says what it is.
        let _ = fs::remove_dir_all(&self.temporary);
    }
}

/// A hidden path in the same directory.
fn beside(path: &Path, unique: &str) -> Result<PathBuf, InitError> {
    let name = path
        .file_name()
        .ok_or_else(|| InitError::Path(path.to_owned()))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(unique);
    Ok(path.with_file_name(hidden))
}

fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Renames, unless there is something at the new path.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}
