//! Writing break-glass files.
//!
//! sshd reads them without asking us, so what must not be in one is refused here. A file is written beside the old one,
//! brought to the disk, and takes its name in one step: whoever logs in meanwhile finds the old one or the new one. Lines
//! that are there already stay as they are, byte for byte.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use keyroster_keys::line::{Comment, RenderError, parse_line};
use keyroster_keys::{
    AccountName, AuthorizedKey, Fingerprint, Fingerprints, KeyBlob, KeyOptions, KeyPolicy, LineKey,
    PastedKeyError, PolicyViolation, parse_public_key,
};
use rustix::fs::{
    AtFlags, CWD, FlockOperation, Gid, Mode, OFlags, Uid, flock, fsync, openat, unlinkat,
};
use rustix::io::Errno;

use crate::break_glass::Accepted;
use crate::break_glass::check::FILE_MAX;
use crate::open_flags::{READ, READABLE};
use crate::whole_file::{self, Access};

/// The directory of the files, held open and locked: two who write at once write one after the other.
#[derive(Debug)]
pub struct Files {
    dir: File,
    path: PathBuf,
}

/// A key that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    line: String,
    fingerprint: Fingerprint,
}

/// What became of a file.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was written.
    Made,
    /// There was nothing to do.
    AlreadySo,
}

/// Why a key is not added.
#[derive(Debug, thiserror::Error)]
pub enum RefusedKey {
    /// It is no public key.
    #[error(transparent)]
    NotAKey(#[from] PastedKeyError),
    /// It is too weak for anything.
    #[error(transparent)]
    Policy(#[from] PolicyViolation),
    /// Its private half may lie in a file.
    #[error("key {0} is not in a security key")]
    NotHardware(Fingerprint),
    /// The roster has revoked it.
    #[error("key {0} is revoked")]
    Revoked(Fingerprint),
    /// It can't be written as a line.
    #[error("the key can't be written as a line: {0}")]
    Render(#[from] RenderError),
}

/// Why a file can't be written. What was there is still there.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
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
    /// It is not what we write.
    #[error("\"{0}\" is a link, or too long for a break-glass file")]
    Foreign(PathBuf),
}

impl NewKey {
    /// Takes the text of a `.pub` file, if it may be a break-glass key. The label stands behind the key; without one what
    /// stands there already.
    ///
    /// # Errors
    /// When it may not.
    pub fn parse(
        text: &str,
        label: Option<&Comment>,
        accepted: Accepted,
        revoked: Option<&Fingerprints>,
    ) -> Result<Self, RefusedKey> {
        let pasted = parse_public_key(text)?;
        KeyPolicy::default().check(&pasted.blob)?;
        let fingerprint = *pasted.blob.fingerprint();
        if accepted == Accepted::Hardware && !pasted.blob.is_security_key() {
            return Err(RefusedKey::NotHardware(fingerprint));
        }
        if revoked.is_some_and(|revoked| revoked.contains(&fingerprint)) {
            return Err(RefusedKey::Revoked(fingerprint));
        }
        let (name, body) = (pasted.blob.algorithm().as_str(), pasted.blob.base64());
        let key = LineKey::parse(name, body).map_err(|_| RenderError::NotTheSame)?;
        let mut options = KeyOptions::restricted();
        options.permissions.pty = true;
        let own = Comment::sanitise(pasted.comment.as_bytes());
        let line = AuthorizedKey {
            options,
            key,
            comment: label.cloned().unwrap_or(own),
        };
        Ok(Self {
            line: line.render()?,
            fingerprint,
        })
    }

    /// The key.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl Files {
    /// Opens the directory, and makes it if it is missing.
    ///
    /// # Errors
    /// When that can't be done.
    pub fn open(path: &Path) -> Result<Self, FilesError> {
        let failed = |action, err: io::Error| FilesError::Io {
            action,
            path: path.to_owned(),
            err,
        };
        match DirBuilder::new().mode(0o755).create(path) {
            Err(err) if err.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("make", err));
            }
            _ => {}
        }
        let dir = openat(CWD, path, DIRECTORY, Mode::empty())
            .map_err(|err| failed("open", err.into()))?;
        flock(&dir, FlockOperation::LockExclusive).map_err(|err| failed("lock", err.into()))?;
        Ok(Self {
            dir: File::from(dir),
            path: path.to_owned(),
        })
    }

    /// Adds a key.
    ///
    /// # Errors
    /// When the file can't be read or written.
    pub fn add(&self, account: &AccountName, key: &NewKey) -> Result<Change, FilesError> {
        let mut text = self.read(account)?;
        if lines(&text).any(|line| is_of(line, key.fingerprint)) {
            return Ok(Change::AlreadySo);
        }
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend_from_slice(key.line.as_bytes());
        text.push(b'\n');
        self.write(account, &text)?;
        Ok(Change::Made)
    }

    /// Removes a key; the file goes with its last line.
    ///
    /// # Errors
    /// When the file can't be read or written.
    pub fn remove(&self, account: &AccountName, key: Fingerprint) -> Result<Change, FilesError> {
        let text = self.read(account)?;
        let left: Vec<u8> = lines(&text)
            .filter(|line| !is_of(line, key))
            .flatten()
            .copied()
            .collect();
        if left.len() == text.len() {
            return Ok(Change::AlreadySo);
        }
        if left.trim_ascii().is_empty() {
            unlinkat(&self.dir, account.as_str(), AtFlags::empty())
                .map_err(|err| self.failed("remove", account, err.into()))?;
            fsync(&self.dir).map_err(|err| self.failed("remove", account, err.into()))?;
        } else {
            self.write(account, &left)?;
        }
        Ok(Change::Made)
    }

    fn read(&self, account: &AccountName) -> Result<Vec<u8>, FilesError> {
        let file = match openat(&self.dir, account.as_str(), READ, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(Errno::LOOP) => return Err(FilesError::Foreign(self.path_of(account))),
            Err(err) => return Err(self.failed("open", account, err.into())),
        };
        let mut bytes = Vec::new();
        file.take(FILE_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|err| self.failed("read", account, err))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_MAX {
            return Err(FilesError::Foreign(self.path_of(account)));
        }
        Ok(bytes)
    }

    fn write(&self, account: &AccountName, text: &[u8]) -> Result<(), FilesError> {
        // sshd reads the file as the account.
        let access = Access {
            mode: READABLE,
            owner: Some((Uid::ROOT, Gid::ROOT)),
        };
        whole_file::replace(&self.dir, account.as_str(), text, access)
            .map_err(|err| self.failed("write", account, err))
    }

    fn path_of(&self, account: &AccountName) -> PathBuf {
        self.path.join(account.as_str())
    }

    fn failed(&self, action: &'static str, account: &AccountName, err: io::Error) -> FilesError {
        let path = self.path_of(account);
        FilesError::Io { action, path, err }
    }
}

/// Reads a public key's file, or standard input for `-`.
///
/// # Errors
/// When it can't be read.
pub fn read_key(path: &Path) -> Result<String, FilesError> {
    let failed = |err| FilesError::Io {
        action: "read",
        path: path.to_owned(),
        err,
    };
    let mut text = String::new();
    let source: Box<dyn io::Read> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(fs::File::open(path).map_err(failed)?),
    };
    source
        .take(FILE_MAX)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn is_of(line: &[u8], fingerprint: Fingerprint) -> bool {
    parse_line(line)
        .ok()
        .flatten()
        .and_then(|line| KeyBlob::try_from(&line.key).ok())
        .is_some_and(|blob| *blob.fingerprint() == fingerprint)
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

#[cfg(test)]
pub(crate) mod tests;
