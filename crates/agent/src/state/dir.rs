//! Files in the state directory: read with distrust, written whole.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Uid, fchown, flock, fstat,
    mkdirat, openat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::open_flags::{DIRECTORY, READ};
use crate::whole_file::{Access, Staged};

/// The state directory, held open: everything in it is reached through this handle and not by path, so that nobody can
/// put another directory in its place between two steps.
#[derive(Debug)]
pub struct StateDir {
    dir: OwnedFd,
    path: PathBuf,
    owner: Owner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    uid: u32,
    gid: u32,
}

/// Why a file in the state directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system said no.
    #[error("can't {action} \"{path}\": {err}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        err: io::Error,
    },
    /// It is there, but somebody else could have put it there.
    #[error("\"{path}\" is not trusted: {why}")]
    Untrusted {
        /// What.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It is ours, but not what was written.
    #[error("\"{path}\" is corrupt: {why}")]
    Corrupt {
        /// What.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A lock on the directory; given back when it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] OwnedFd);

/// Whether an exclusive lock is held.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locked {
    /// It is.
    BySomebody,
    /// It is not.
    ByNobody,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Others may read it.
    Public,
    /// A private key: refused when anybody else can read it.
    Secret,
}

impl StateDir {
    /// Opens the directory.
    ///
    /// # Errors
    /// When it does not exist, or is anybody's but ours.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let dir =
            openat(CWD, path, DIRECTORY, Mode::empty()).map_err(|err| failed("open", path, err))?;
        Self::judge(dir, path)
    }

    /// Opens the directory, and makes it first if it is missing.
    ///
    /// # Errors
    /// When it can't be made, or is anybody's but ours.
    pub fn create(path: &Path) -> Result<Self, StateError> {
        match mkdirat(CWD, path, PRIVATE_DIR) {
            Ok(()) | Err(Errno::EXIST) => Self::open(path),
            Err(err) => Err(failed("make", path, err)),
        }
    }

    fn judge(dir: OwnedFd, path: &Path) -> Result<Self, StateError> {
        let stat = fstat(&dir).map_err(|err| failed("look at", path, err))?;
        let untrusted = |why| {
            Err(StateError::Untrusted {
                path: path.to_owned(),
                why,
            })
        };
        let own = geteuid();
        if stat.st_uid != own.as_raw() && !own.is_root() {
            return untrusted("it belongs to another user");
        }
        if stat.st_mode & WRITABLE_BY_OTHERS != 0 {
            return untrusted("group or others can write to it");
        }
        let owner = Owner {
            uid: stat.st_uid,
            gid: stat.st_gid,
        };
        Ok(Self {
            dir,
            path: path.to_owned(),
            owner,
        })
    }

    /// A directory inside of it.
    ///
    /// # Errors
    /// When it does not exist, or is anybody's but ours.
    pub fn sub(&self, name: &str) -> Result<Self, StateError> {
        let path = self.path_of(name);
        let dir = openat(&self.dir, name, DIRECTORY, Mode::empty())
            .map_err(|err| failed("open", &path, err))?;
        let sub = Self::judge(dir, &path)?;
        if sub.owner.uid == self.owner.uid {
            return Ok(sub);
        }
        Err(StateError::Untrusted {
            path,
            why: "it belongs to another user",
        })
    }

    /// Makes a directory inside of it.
    ///
    /// # Errors
    /// When it exists or can't be made.
    pub fn make_sub(&self, name: &str) -> Result<Self, StateError> {
        let path = self.path_of(name);
        mkdirat(&self.dir, name, PRIVATE_DIR).map_err(|err| failed("make", &path, err))?;
        let dir = openat(&self.dir, name, DIRECTORY, Mode::empty())
            .map_err(|err| failed("open", &path, err))?;
        self.give_to_owner(dir.as_fd())
            .map_err(|err| io_failed("own", &path, err))?;
        Self::judge(dir, &path)
    }

    /// The file's bytes; none when there is no such file.
    ///
    /// # Errors
    /// When it is not a plain file of ours that only we can write, or is longer than `cap`.
    pub fn read(
        &self,
        name: &str,
        cap: usize,
        secrecy: Secrecy,
    ) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.path_of(name);
        let Some((file, stat)) = self.open_trusted(name, READ, secrecy)? else {
            return Ok(None);
        };
        // Growing by doubling would take the double of a large snapshot.
        let length = usize::try_from(stat.st_size).unwrap_or(0).min(cap);
        let mut bytes = Vec::with_capacity(length.saturating_add(1));
        let limit = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit)
            .read_to_end(&mut bytes)
            .map_err(|err| io_failed("read", &path, err))?;
        if bytes.len() > cap {
            return Err(StateError::Corrupt {
                path,
                why: format!("it is longer than {cap} bytes"),
            });
        }
        Ok(Some(bytes))
    }

    /// Opens a file to read it and to write to its end; it is made if it is missing.
    ///
    /// # Errors
    /// When it is not a plain file of ours that only we can write.
    pub fn open_own(&self, name: &str) -> Result<File, StateError> {
        if let Some(file) = self.open_own_if_any(name)? {
            return Ok(file);
        }
        let path = self.path_of(name);
        let file = openat(&self.dir, name, CREATE, PRIVATE_FILE)
            .map_err(|err| failed("make", &path, err))?;
        self.give_to_owner(file.as_fd())
            .map_err(|err| io_failed("own", &path, err))?;
        Ok(File::from(file))
    }

    /// The same; none when there is no such file.
    ///
    /// # Errors
    /// When it is not a plain file of ours that only we can write.
    pub fn open_own_if_any(&self, name: &str) -> Result<Option<File>, StateError> {
        let opened = self.open_trusted(name, UPDATE, Secrecy::Public)?;
        Ok(opened.map(|(file, _)| file))
    }

    /// How long a file is, in bytes; none when there is no such file of ours.
    #[must_use]
    pub fn length_of(&self, name: &str) -> Option<u64> {
        let (_, stat) = self.open_trusted(name, READ, Secrecy::Public).ok()??;
        u64::try_from(stat.st_size).ok()
    }

    fn open_trusted(
        &self,
        name: &str,
        flags: OFlags,
        secrecy: Secrecy,
    ) -> Result<Option<(File, Stat)>, StateError> {
        let path = self.path_of(name);
        let file = match openat(&self.dir, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => {
                return Err(StateError::Untrusted {
                    path,
                    why: "it is a symbolic link",
                });
            }
            Err(err) => return Err(failed("open", &path, err)),
        };
        let stat = fstat(&file).map_err(|err| failed("look at", &path, err))?;
        match self.distrust(&stat, secrecy) {
            Some(why) => Err(StateError::Untrusted { path, why }),
            None => Ok(Some((File::from(file), stat))),
        }
    }

    fn distrust(&self, stat: &Stat, secrecy: Secrecy) -> Option<&'static str> {
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Some("it is not a plain file");
        }
        if stat.st_uid != self.owner.uid {
            return Some("it belongs to another user");
        }
        if stat.st_mode & WRITABLE_BY_OTHERS != 0 {
            return Some("group or others can write it");
        }
        if secrecy == Secrecy::Secret && stat.st_mode & READABLE_BY_OTHERS != 0 {
            return Some("group or others can read it");
        }
        None
    }

    /// Puts a file in place, whole or not at all.
    ///
    /// # Errors
    /// When it can't be written; what was there before is still there then.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.path_of(name);
        let temporary = format!(".{name}.{}", std::process::id());
        let access = Access {
            mode: PRIVATE_FILE,
            owner: self.given_owner(),
        };
        Staged::write(&self.dir, temporary, bytes, access)
            .and_then(|staged| staged.publish(name))
            .map_err(|err| io_failed("write", &path, err))
    }

    /// Root enrols hosts for the host agent's user; what root makes must be that user's.
    fn given_owner(&self) -> Option<(Uid, Gid)> {
        let Owner { uid, gid } = self.owner;
        (geteuid().as_raw() != uid).then(|| (Uid::from_raw(uid), Gid::from_raw(gid)))
    }

    fn give_to_owner(&self, file: impl AsFd) -> io::Result<()> {
        match self.given_owner() {
            Some((uid, gid)) => Ok(fchown(file, Some(uid), Some(gid))?),
            None => Ok(()),
        }
    }

    /// Takes a file away; one that is not there is gone already.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn remove(&self, name: &str) -> Result<(), StateError> {
        match unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) => self.sync(),
            Err(Errno::NOENT) => Ok(()),
            Err(err) => Err(failed("remove", &self.path_of(name), err)),
        }
    }

    /// Takes an exclusive lock if nobody holds it. `name` is a file that exists for this alone.
    ///
    /// # Errors
    /// When the lock's file can't be made.
    pub fn try_lock(&self, name: &str) -> Result<Option<Lock>, StateError> {
        self.lock(name, FlockOperation::NonBlockingLockExclusive)
    }

    /// Looks whether somebody holds a lock that [`Self::try_lock`] takes. While it looks, nobody can take it.
    ///
    /// # Errors
    /// When the lock's file can't be made.
    pub fn is_locked(&self, name: &str) -> Result<Locked, StateError> {
        match self.lock(name, FlockOperation::NonBlockingLockShared)? {
            Some(_) => Ok(Locked::ByNobody),
            None => Ok(Locked::BySomebody),
        }
    }

    fn lock(&self, name: &str, how: FlockOperation) -> Result<Option<Lock>, StateError> {
        let path = self.path_of(name);
        let file = self.open_lock(name, &path)?;
        match flock(&file, how) {
            Ok(()) => Ok(Some(Lock(file))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(err) => Err(failed("lock", &path, err)),
        }
    }

    fn open_lock(&self, name: &str, path: &Path) -> Result<OwnedFd, StateError> {
        match openat(&self.dir, name, LOCK, PRIVATE_FILE) {
            Ok(file) => {
                self.give_to_owner(file.as_fd())
                    .map_err(|err| io_failed("own", path, err))?;
                Ok(file)
            }
            // A disk that has become read-only must not keep the daemon from starting: it answers from memory.
            Err(Errno::ROFS) => openat(&self.dir, name, READ, Mode::empty())
                .map_err(|err| failed("lock", path, err)),
            Err(err) => Err(failed("lock", path, err)),
        }
    }

    pub(super) fn sync(&self) -> Result<(), StateError> {
        rustix::fs::fsync(&self.dir).map_err(|err| failed("sync", &self.path, err))
    }

    pub(super) fn handle(&self) -> &OwnedFd {
        &self.dir
    }

    /// What to say when `action` on a file failed.
    pub(super) fn failed(&self, action: &'static str, name: &str, err: io::Error) -> StateError {
        io_failed(action, &self.path_of(name), err)
    }

    /// The path of a file in it, for messages.
    #[must_use]
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Its own path, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

pub(super) fn failed(action: &'static str, path: &Path, err: Errno) -> StateError {
    io_failed(action, path, err.into())
}

fn io_failed(action: &'static str, path: &Path, err: io::Error) -> StateError {
    StateError::Io {
        action,
        path: path.to_owned(),
        err,
    }
}

const WRITABLE_BY_OTHERS: u32 = 0o022;
const READABLE_BY_OTHERS: u32 = 0o044;

const PRIVATE_DIR: Mode = Mode::RWXU;
const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

const UPDATE: OFlags = OFlags::RDWR
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

const CREATE: OFlags = OFlags::RDWR
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

const LOCK: OFlags = OFlags::RDWR
    .union(OFlags::CREATE)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

#[cfg(test)]
mod tests;
