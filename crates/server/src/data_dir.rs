//! The data directory: which file is which, and how secret files are read and written.
//!
//! A secret that others may read is no secret any more, and one that others may write is somebody else's: both are refused on
//! load and not warned about, since a warning at start is read by nobody.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use thiserror::Error;
use zeroize::Zeroizing;

/// The directory that `init` makes and `run` serves from.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// A file of the data directory that can't be used. The message names it; the admin has to put it right.
#[derive(Debug, Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("can't {verb} \"{}\": {error}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Group or others may read or write a secret file.
    #[error("\"{}\" may be read or written by others than its owner (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to somebody who is neither root nor the one who runs the server.
    #[error("\"{}\" belongs to uid {owner}, neither to root nor to the user who runs this", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The file is no regular file, or longer than any of its kind.
    #[error("\"{}\" is not a file of at most {max} bytes", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
        /// The bytes that one of its kind may have.
        max: u64,
    },
    /// The path is no directory.
    #[error("\"{}\" is no directory", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The file is not text.
    #[error("\"{}\" is not text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
}

impl FileError {
    /// Whether the file is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// What the admin can do about it, where there is one thing.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                Some("`keyroster-server init` makes the data directory")
            }
            Self::Foreign { .. } => Some("run this as that user: `setpriv --reuid`, `runuser -u`"),
            Self::Exposed { .. } => Some("find out who could have used it, then `chmod go=` it"),
            _ => None,
        }
    }
}

impl DataDir {
    /// The directory at this path, which may not exist yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes the directory, mode 0700.
    ///
    /// # Errors
    /// When it exists or can't be made.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(|error| failed("make", path, error))?;
        Ok(Self(path.to_owned()))
    }

    /// The directory that is there, unless others may write in it.
    ///
    /// # Errors
    /// When it is none, or others could exchange its files.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let metadata = fs::metadata(path).map_err(|error| failed("open", path, error))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if !metadata.is_dir() {
            return Err(FileError::NotADirectory {
                path: path.to_owned(),
            });
        }
        if mode & 0o022 != 0 {
            return Err(FileError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        check_owner(path, metadata.uid())?;
        Ok(Self(path.to_owned()))
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `server.toml`. Secret, since a database's URL may hold a password.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("server.toml")
    }

    /// The CA's certificate, PEM.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// The CA's private key, PEM.
    #[must_use]
    pub fn ca_key(&self) -> PathBuf {
        self.0.join("ca.key")
    }

    /// The certificate of the CA that is not in force, while CAs are exchanged.
    #[must_use]
    pub fn next_ca(&self) -> PathBuf {
        self.0.join("ca.next.pem")
    }

    /// Its private key.
    #[must_use]
    pub fn next_ca_key(&self) -> PathBuf {
        self.0.join("ca.next.key")
    }

    /// The certificates by which the two vouch for each other.
    #[must_use]
    pub fn ca_crosses(&self) -> PathBuf {
        self.0.join("ca.cross.pem")
    }

    /// The snapshot key, OpenSSH's format.
    #[must_use]
    pub fn snapshot_key(&self) -> PathBuf {
        self.0.join("snapshot-key")
    }

    /// The snapshot key's public half, one line.
    #[must_use]
    pub fn snapshot_key_public(&self) -> PathBuf {
        self.0.join("snapshot-key.pub")
    }

    /// The snapshot key that is not the one that signs, while keys are exchanged.
    #[must_use]
    pub fn next_snapshot_key(&self) -> PathBuf {
        self.0.join("snapshot-key.next")
    }

    /// What hosts are told about snapshot keys.
    #[must_use]
    pub fn key_chain(&self) -> PathBuf {
        self.0.join("snapshot-keys.json")
    }

    /// The database, when it is SQLite.
    #[must_use]
    pub fn sqlite(&self) -> PathBuf {
        self.0.join("roster.db")
    }

    /// What was revoked, kept outside of the database, unless server.toml names another place.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.0.join("revocations.journal")
    }

    /// Locked by whoever works on the directory.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The address that `run` listens on, for whoever started it on port 0.
    #[must_use]
    pub fn listen(&self) -> PathBuf {
        self.0.join("listen")
    }
}

/// Writes a new file that only its owner may read, and makes it durable.
///
/// # Errors
/// When the file exists or can't be written.
pub fn write_secret(path: &Path, text: &str) -> Result<(), FileError> {
    write_new(path, text, 0o600)
}

/// Writes a new file that everybody who reaches it may read, and makes it durable.
///
/// # Errors
/// When the file exists or can't be written.
pub fn write_public(path: &Path, text: &str) -> Result<(), FileError> {
    write_new(path, text, 0o644)
}

/// Replaces a file that only its owner may read: whoever reads it sees the old text or the new one.
///
/// # Errors
/// When it can't be written.
pub fn replace(path: &Path, text: &str) -> Result<(), FileError> {
    replace_with(path, text, write_secret)
}

/// The same with one that everybody may read.
///
/// # Errors
/// When it can't be written.
pub fn replace_public(path: &Path, text: &str) -> Result<(), FileError> {
    replace_with(path, text, write_public)
}

fn replace_with(
    path: &Path,
    text: &str,
    write: fn(&Path, &str) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    remove(&temporary)?;
    write(&temporary, text)?;
    fs::rename(&temporary, path).map_err(|error| failed("rename", &temporary, error))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Removes a file, if it is there.
///
/// # Errors
/// When the operating system refuses.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, error)),
        _ => Ok(()),
    }
}

/// Exchanges two files in one step.
///
/// # Errors
/// When one is not there, or the operating system refuses.
pub fn exchange(one: &Path, other: &Path) -> Result<(), FileError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
        .map_err(|error| failed("replace", other, error.into()))?;
    other.parent().map_or(Ok(()), sync_dir)
}

/// Renames a file, unless there is something at the new path.
///
/// # Errors
/// When there is, or the operating system refuses.
pub fn rename_new(from: &Path, to: &Path) -> Result<(), FileError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let renamed = match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // NFS knows no such renaming; a link takes no other's place either.
        Err(Errno::INVAL) => fs::hard_link(from, to).and_then(|()| fs::remove_file(from)),
        renamed => renamed.map_err(io::Error::from),
    };
    renamed.map_err(|error| failed("rename to", to, error))
}

/// Reads a secret file, unless others than its owner may read or write it.
///
/// # Errors
/// When it can't be read, is exposed, belongs to a stranger, or is no text file of a sound size.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, FileError> {
    // The file that is checked is the file that is read: the open descriptor, not the path, is asked.
    let file = open(path)?;
    check_private(&file, path, FORBIDDEN)?;
    read_text(file, path, MAX_SECRET_FILE)
}

/// Reads a secret that the service manager hands over. It may let this process read by an access list, whose mask then stands in
/// place of the group's permissions.
///
/// # Errors
/// When it can't be read, is exposed, belongs to a stranger, or is no text file of a sound size.
pub fn read_credential(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let file = open(path)?;
    check_private(&file, path, FORBIDDEN_IN_CREDENTIALS)?;
    read_text(file, path, MAX_SECRET_FILE)
}

/// Reads a file that is no secret.
///
/// # Errors
/// When it can't be read, or is no text file of a sound size.
pub fn read_public(path: &Path) -> Result<Zeroizing<String>, FileError> {
    read_long(path, MAX_SECRET_FILE)
}

/// The same with one that may have so many bytes.
///
/// # Errors
/// When it can't be read, or is no text file of a sound size.
pub fn read_long(path: &Path, max: u64) -> Result<Zeroizing<String>, FileError> {
    let file = open(path)?;
    check_file(&file, path, max)?;
    read_text(file, path, max)
}

/// Opens without waiting, since a pipe in a file's place would wait for ever.
fn open(path: &Path) -> Result<File, FileError> {
    OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(|error| failed("read", path, error))
}

fn read_text(file: File, path: &Path, max: u64) -> Result<Zeroizing<String>, FileError> {
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failed("read", path, error))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(FileError::NotText {
            path: path.to_owned(),
        }),
    }
}

/// Makes what was written to a directory durable.
///
/// # Errors
/// When the operating system refuses.
pub fn sync_dir(path: &Path) -> Result<(), FileError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| failed("sync", path, error))
}

fn check_file(file: &File, path: &Path, max: u64) -> Result<Metadata, FileError> {
    let metadata = file
        .metadata()
        .map_err(|error| failed("read", path, error))?;
    if !metadata.is_file() || metadata.len() > max {
        return Err(FileError::NotAFile {
            path: path.to_owned(),
            max,
        });
    }
    Ok(metadata)
}

fn check_private(file: &File, path: &Path, forbidden: u32) -> Result<(), FileError> {
    let metadata = check_file(file, path, MAX_SECRET_FILE)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(FileError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    check_owner(path, metadata.uid())
}

fn check_owner(path: &Path, owner: u32) -> Result<(), FileError> {
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(FileError::Foreign {
            path: path.to_owned(),
            owner,
        });
    }
    Ok(())
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| failed("write", path, error))
}

fn failed(verb: &'static str, path: &Path, error: io::Error) -> FileError {
    FileError::Io {
        verb,
        path: path.to_owned(),
        error,
    }
}

/// What nobody but the owner of a secret file may do.
const FORBIDDEN: u32 = 0o077;

/// The same without the group's reading.
const FORBIDDEN_IN_CREDENTIALS: u32 = 0o037;

/// Bytes of a configuration, a key or a certificate.
pub const MAX_SECRET_FILE: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write_secret(&path, "s").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_secret_that_others_may_read_or_write_is_refused() {
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
            let (_dir, path) = file(mode);
            assert!(
                matches!(read_secret(&path), Err(FileError::Exposed { .. })),
                "{mode:o}"
            );
        }
        let (_dir, path) = file(0o600);
        assert_eq!(read_secret(&path).unwrap().as_str(), "s");
    }

    #[test]
    fn a_written_secret_is_for_its_owner_alone_whatever_the_umask() {
        let (_dir, path) = file(0o600);
        replace(&path, "t").unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(read_secret(&path).unwrap().as_str(), "t");
    }

    #[test]
    fn an_existing_file_is_never_overwritten_by_a_new_one() {
        let (_dir, path) = file(0o600);
        assert!(write_secret(&path, "t").is_err());
        assert_eq!(read_secret(&path).unwrap().as_str(), "s");
    }

    #[test]
    fn a_directory_and_an_endless_file_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            read_secret(dir.path()),
            Err(FileError::NotAFile { .. })
        ));
        let path = dir.path().join("long");
        write_secret(&path, &"x".repeat(MAX_SECRET_FILE as usize + 1)).unwrap();
        assert!(matches!(
            read_secret(&path),
            Err(FileError::NotAFile { .. })
        ));
    }
}
