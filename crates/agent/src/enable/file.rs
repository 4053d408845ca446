//! The drop-in on disk: read whole, replaced in one step, and never through a link.
//!
//! Its directory is held open, so that what was checked is what is written to.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyroster_sshd::would_be::DropIn;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Uid, fstat, fsync, openat, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::enable::error::EnableError;
use crate::open_flags::{DIRECTORY, READ};
use crate::whole_file::{self, Access};

/// What was, or is to be, in a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Nothing.
    Absent,
    /// This file.
    File {
        /// Its bytes.
        bytes: Bytes,
        /// Its permissions.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
}

/// Bytes, in base64 where they are written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub Vec<u8>);

/// The place of the drop-in.
#[derive(Debug)]
pub struct Place {
    dir: OwnedFd,
    name: String,
    path: PathBuf,
}

impl Content {
    /// A drop-in of root's with these bytes.
    #[must_use]
    pub fn drop_in(bytes: &[u8]) -> Self {
        Self::File {
            bytes: Bytes(bytes.to_vec()),
            mode: DROP_IN_MODE,
            uid: 0,
            gid: 0,
        }
    }

    /// The file's bytes.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Absent => None,
            Self::File { bytes, .. } => Some(&bytes.0),
        }
    }

    /// The file's text, or none.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes().unwrap_or_default()).into_owned()
    }
}

impl TryFrom<String> for Bytes {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        STANDARD.encode(bytes.0)
    }
}

impl Place {
    /// Opens the directory of the drop-in.
    ///
    /// # Errors
    /// When it is not there, is a link, or can be changed by others than root.
    pub fn open(drop_in: &DropIn) -> Result<Self, EnableError> {
        let path = &drop_in.directory;
        let dir = match openat(CWD, path, DIRECTORY, Mode::empty()) {
            Ok(dir) => dir,
            Err(Errno::LOOP | Errno::NOTDIR) => {
                return Err(EnableError::untrusted(path, "it is a link or no directory"));
            }
            Err(err) => return Err(EnableError::io("open", path, err)),
        };
        let stat = fstat(&dir).map_err(|err| EnableError::io("look at", path, err))?;
        if stat.st_uid != ROOT || stat.st_mode & WRITABLE_BY_OTHERS != 0 {
            return Err(EnableError::untrusted(
                path,
                "others than root can change it",
            ));
        }
        Ok(Self {
            dir,
            name: drop_in.name.clone(),
            path: drop_in.path(),
        })
    }

    /// The drop-in's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is there now.
    ///
    /// # Errors
    /// When it is a link or no plain file, or can't be read.
    pub fn read(&self) -> Result<Content, EnableError> {
        let file = match openat(&self.dir, self.name.as_str(), READ, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(Content::Absent),
            Err(Errno::LOOP) => {
                return Err(EnableError::untrusted(&self.path, "it is a symbolic link"));
            }
            Err(err) => return Err(self.failed("open", err)),
        };
        let stat = fstat(&file).map_err(|err| self.failed("look at", err))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(EnableError::untrusted(&self.path, "it is no plain file"));
        }
        let mut bytes = Vec::new();
        let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|err| self.failed("read", err))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(EnableError::untrusted(
                &self.path,
                "it is longer than 1 MiB",
            ));
        }
        Ok(Content::File {
            bytes: Bytes(bytes),
            mode: stat.st_mode & PERMISSIONS,
            uid: stat.st_uid,
            gid: stat.st_gid,
        })
    }

    /// Puts this there, whole or not at all.
    ///
    /// # Errors
    /// When it can't be written; what was there before is still there then.
    pub fn put(&self, content: &Content) -> Result<(), EnableError> {
        match content {
            Content::Absent => match unlinkat(&self.dir, self.name.as_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(err) => return Err(self.failed("remove", err)),
            },
            Content::File {
                bytes,
                mode,
                uid,
                gid,
            } => {
                let access = Access {
                    mode: Mode::from_raw_mode(*mode),
                    owner: Some((Uid::from_raw(*uid), Gid::from_raw(*gid))),
                };
                return whole_file::replace(&self.dir, &self.name, &bytes.0, access)
                    .map_err(|err| self.failed("write", err));
            }
        }
        fsync(&self.dir).map_err(|err| self.failed("sync the directory of", err))
    }

    fn failed(&self, action: &'static str, err: impl Into<io::Error>) -> EnableError {
        EnableError::io(action, &self.path, err)
    }
}

const DROP_IN_MODE: u32 = 0o644;
const PERMISSIONS: u32 = 0o7777;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const ROOT: u32 = 0;
/// Bytes of a drop-in.
const MAX_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};

    use super::*;

    fn place(dir: &Path) -> DropIn {
        let drop_in = DropIn::beside(&dir.join("sshd_config"), "10-keyroster.conf");
        std::fs::create_dir_all(&drop_in.directory).unwrap();
        std::fs::set_permissions(&drop_in.directory, PermissionsExt::from_mode(0o755)).unwrap();
        drop_in
    }

    #[test]
    fn what_was_there_comes_back_with_its_bytes_mode_and_owner() {
        let dir = tempfile::tempdir().unwrap();
        let drop_in = place(dir.path());
        let place = Place::open(&drop_in).unwrap();
        assert_eq!(place.read().unwrap(), Content::Absent);
        std::fs::write(drop_in.path(), b"a\xff\n").unwrap();
        std::fs::set_permissions(drop_in.path(), PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::chown(drop_in.path(), Some(0), Some(4)).unwrap();
        let before = place.read().unwrap();
        let kept = serde_json::to_string(&before).unwrap();
        place.put(&Content::drop_in(b"ours\n")).unwrap();
        assert_eq!(
            std::fs::metadata(drop_in.path()).unwrap().mode() & 0o7777,
            0o644
        );
        place.put(&serde_json::from_str(&kept).unwrap()).unwrap();
        let metadata = std::fs::metadata(drop_in.path()).unwrap();
        assert_eq!(std::fs::read(drop_in.path()).unwrap(), b"a\xff\n");
        assert_eq!((metadata.mode() & 0o7777, metadata.gid()), (0o640, 4));
        place.put(&Content::Absent).unwrap();
        place.put(&Content::Absent).unwrap();
        assert_eq!(std::fs::read_dir(&drop_in.directory).unwrap().count(), 0);
    }

    #[test]
    fn links_and_directories_of_others_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let drop_in = place(dir.path());
        symlink("/etc/hostname", drop_in.path()).unwrap();
        let open = || Place::open(&drop_in);
        assert!(matches!(
            open().unwrap().read(),
            Err(EnableError::Untrusted { .. })
        ));
        std::fs::set_permissions(&drop_in.directory, PermissionsExt::from_mode(0o775)).unwrap();
        assert!(matches!(open(), Err(EnableError::Untrusted { .. })));
        std::fs::set_permissions(&drop_in.directory, PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(&drop_in.directory, Some(1), None).unwrap();
        assert!(matches!(open(), Err(EnableError::Untrusted { .. })));
        let elsewhere = dir.path().join("elsewhere");
        std::fs::rename(&drop_in.directory, &elsewhere).unwrap();
        symlink(&elsewhere, &drop_in.directory).unwrap();
        assert!(matches!(open(), Err(EnableError::Untrusted { .. })));
    }
}
