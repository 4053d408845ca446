//! The file that sshd's `RevokedKeys` names.
//!
//! A missing, truncated or garbage file makes sshd refuse *every* key of every user, break-glass keys too. So it is never
//! removed, and never written in place: what is new is written beside it, brought to the disk, read again, and takes its
//! name in one step. And a file that somebody else wrote is never replaced, for it may hold revocations that nobody
//! else knows of.
//!
//! Who can write the directory can take any file in it away. It must belong to root or to the host agent's user, and be
//! writable by nobody else. sshd reads the file as root.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use keyroster_api::revoked_keys::{RevokedKeys, parse_tag, tag_text};
use keyroster_api::snapshot::Tag;
use keyroster_keys::Fingerprints;
use keyroster_keys::krl::{
    KrlHead, MAX_KRL_BYTES, MAX_REVOKED, read_krl, read_krl_head, write_krl,
};
use rustix::fs::{AtFlags, CWD, FileType, Mode, Stat, fstat, openat, statat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::open_flags::{DIRECTORY, READ, READABLE};
use crate::whole_file::{self, Access};

/// The file, by its path: its directory is looked at anew each time, so that what was mended is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KrlFile {
    dir: PathBuf,
    name: String,
}

/// What is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is no file, and sshd refuses every key; or an empty one, and it refuses none.
    Nothing,
    /// A list of ours.
    List(Tag, Fingerprints),
    /// A list of ours that can't be read: sshd refuses every key.
    Damaged,
}

/// A file as it was written: enough to see that it is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: i64,
    changed: (i64, i64),
}

/// A list that is on the disk, and does not have the file's name yet.
#[derive(Debug)]
#[must_use]
pub struct Staged {
    file: whole_file::Staged<OwnedFd>,
    path: PathBuf,
    name: String,
}

/// Why the file can't be read or written. What is there stays there.
#[derive(Debug, thiserror::Error)]
pub enum KrlFileError {
    /// The path has no file name, or one that is no text.
    #[error("\"{0}\" is no path of a file")]
    Path(PathBuf),
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
    /// Somebody else could have put something there.
    #[error("\"{path}\" is not trusted: {why}")]
    Untrusted {
        /// What.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It is no list of ours.
    #[error("\"{0}\" was not written by keyroster; move it away, and its revocations with it")]
    Foreign(PathBuf),
    /// What was read again is not what was written.
    #[error("\"{0}\" did not reach the disk as it was written")]
    NotAsWritten(PathBuf),
    /// sshd would take too long to read it.
    #[error("{count} revoked keys are more than sshd can read for each login ({MAX_REVOKED})")]
    TooLong {
        /// How many there are.
        count: usize,
    },
}

impl KrlFile {
    /// The file at this path.
    ///
    /// # Errors
    /// When it is no path of a file.
    pub fn at(path: &Path) -> Result<Self, KrlFileError> {
        let wrong = || KrlFileError::Path(path.to_owned());
        let name = path.file_name().and_then(|name| name.to_str());
        Ok(Self {
            dir: path.parent().ok_or_else(wrong)?.to_owned(),
            name: name.ok_or_else(wrong)?.to_owned(),
        })
    }

    /// Its path, for messages.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it can't be read, is not trusted, or is somebody else's.
    pub fn read(&self) -> Result<Found, KrlFileError> {
        let dir = self.open_dir()?;
        if self.look(&dir)?.is_none() {
            return Ok(Found::Nothing);
        }
        let bytes = read_capped(&dir, &self.name).map_err(|err| self.failed("read", err))?;
        if bytes.is_empty() {
            return Ok(Found::Nothing);
        }
        let tag = read_krl_head(&bytes).ok().and_then(|head| tag_of(&head));
        let tag = tag.ok_or_else(|| KrlFileError::Foreign(self.path()))?;
        Ok(match read_krl(&bytes) {
            Ok((_, revoked)) => Found::List(tag, revoked),
            Err(_) => Found::Damaged,
        })
    }

    /// Puts a list in its place.
    ///
    /// # Errors
    /// When that can't be done; what was there is still there then.
    pub fn put(&self, list: &RevokedKeys) -> Result<Stamp, KrlFileError> {
        self.stage(list.tag(), list.issued_at(), list.keys())?
            .publish()
    }

    /// Puts an empty list where there is none, so that sshd refuses nobody.
    ///
    /// # Errors
    /// As for [`KrlFile::put`].
    pub fn put_empty(&self, tag: Tag) -> Result<Stamp, KrlFileError> {
        self.stage(tag, 0, &Fingerprints::default())?.publish()
    }

    /// Writes a list beside the file, brings it to the disk, and reads it again.
    ///
    /// # Errors
    /// When that can't be done, or the file is one that may not be replaced.
    pub fn stage(
        &self,
        tag: Tag,
        generated_at: i64,
        revoked: &Fingerprints,
    ) -> Result<Staged, KrlFileError> {
        let count = revoked.len();
        if count > MAX_REVOKED {
            return Err(KrlFileError::TooLong { count });
        }
        // What may not be replaced says so here.
        let _ = self.read()?;
        let head = KrlHead {
            version: tag.revision.get(),
            generated_at: u64::try_from(generated_at).unwrap_or(0),
            comment: format!("{COMMENT}{}", tag_text(tag)),
        };
        let bytes = write_krl(&head, revoked);
        let failed = |err| self.failed("write", err);
        let temporary = format!(".{}.new", self.name);
        // Whoever checks a key with ssh-keygen may read it.
        let access = Access {
            mode: READABLE,
            owner: None,
        };
        let file = whole_file::Staged::write(self.open_dir()?, temporary, &bytes, access)
            .map_err(failed)?;
        let again = read_capped(file.dir(), file.temporary()).map_err(failed)?;
        if again != bytes || read_krl(&again).ok().as_ref() != Some(&(head, revoked.clone())) {
            return Err(KrlFileError::NotAsWritten(self.path()));
        }
        Ok(Staged {
            file,
            path: self.path(),
            name: self.name.clone(),
        })
    }

    /// What tells whether the file is the one that was written; none when there is none.
    #[must_use]
    pub fn stamp(&self) -> Option<Stamp> {
        let stat = statat(CWD, self.path(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(Stamp::of(&stat))
    }

    fn open_dir(&self) -> Result<OwnedFd, KrlFileError> {
        let failed = |err: Errno| KrlFileError::Io {
            action: "open",
            path: self.dir.clone(),
            err: err.into(),
        };
        let dir = openat(CWD, &self.dir, DIRECTORY, Mode::empty()).map_err(failed)?;
        let stat = fstat(&dir).map_err(failed)?;
        let untrusted = |why| {
            let path = self.dir.clone();
            Err(KrlFileError::Untrusted { path, why })
        };
        if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
            return untrusted("it belongs neither to root nor to the host agent's user");
        }
        if stat.st_mode & WRITABLE_BY_OTHERS != 0 {
            return untrusted("group or others can write to it");
        }
        Ok(dir)
    }

    /// Whether there is a file, which then is a plain one.
    fn look(&self, dir: &OwnedFd) -> Result<Option<Stat>, KrlFileError> {
        let stat = match statat(dir, self.name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(err) => return Err(self.failed("look at", err.into())),
        };
        let why = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => return Ok(Some(stat)),
            FileType::Symlink => "it is a symbolic link",
            _ => "it is not a plain file",
        };
        let path = self.path();
        Err(KrlFileError::Untrusted { path, why })
    }

    fn failed(&self, action: &'static str, err: io::Error) -> KrlFileError {
        let path = self.path();
        KrlFileError::Io { action, path, err }
    }
}

impl Staged {
    /// Gives it the file's name, in one step.
    ///
    /// # Errors
    /// When that can't be done; what was there is still there then.
    pub fn publish(self) -> Result<Stamp, KrlFileError> {
        let Self { file, path, name } = self;
        let stat = statat(file.dir(), file.temporary(), AtFlags::SYMLINK_NOFOLLOW);
        let published = stat.map_err(io::Error::from).and_then(|stat| {
            file.publish(&name)?;
            Ok(Stamp::of(&stat))
        });
        published.map_err(|err| KrlFileError::Io {
            action: "replace",
            path,
            err,
        })
    }
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        #[expect(
            clippy::useless_conversion,
            reason = "the types differ between platforms"
        )]
        Self {
            inode: stat.st_ino.into(),
            size: stat.st_size.into(),
            changed: (
                stat.st_mtime.into(),
                i64::try_from(stat.st_mtime_nsec).unwrap_or_default(),
            ),
        }
    }
}

fn read_capped(dir: &OwnedFd, name: &str) -> io::Result<Vec<u8>> {
    let file = File::from(openat(dir, name, READ, Mode::empty())?);
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_KRL_BYTES).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The tag of the list that we wrote with this head.
fn tag_of(head: &KrlHead) -> Option<Tag> {
    parse_tag(head.comment.strip_prefix(COMMENT)?)
}

/// How the comment of a list of ours begins; its tag follows.
const COMMENT: &str = "keyroster ";

const WRITABLE_BY_OTHERS: u32 = 0o022;

#[cfg(test)]
mod tests;
