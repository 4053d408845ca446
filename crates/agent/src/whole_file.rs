//! Files that are there whole or not at all: written beside, brought to the disk, and given their name in one step.
//!
//! Whoever reads meanwhile finds the old one or the new one, and a crash leaves one of them. The directory is held open by the caller, who has judged it:
//! nothing here follows a path.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Gid, Mode, Uid, fchmod, fchown, fsync, openat, renameat, unlinkat};

use crate::open_flags::CREATE;

/// Who may do what with a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access {
    /// Its permissions, whatever the process's mask takes away.
    pub mode: Mode,
    /// Its owner and group; none for those of whoever writes it.
    pub owner: Option<(Uid, Gid)>,
}

/// A file that is on the disk and does not have its name yet. Dropped, it is gone.
#[derive(Debug)]
#[must_use]
pub(crate) struct Staged<D: AsFd> {
    dir: D,
    temporary: Option<String>,
}

impl<D: AsFd> Staged<D> {
    /// Writes it under a temporary name, where what a crash left behind gives way.
    pub(crate) fn write(
        dir: D,
        temporary: String,
        bytes: &[u8],
        access: Access,
    ) -> io::Result<Self> {
        let _left_by_a_crash = unlinkat(&dir, temporary.as_str(), AtFlags::empty());
        let file = openat(&dir, temporary.as_str(), CREATE, Mode::RUSR | Mode::WUSR)?;
        // From here on a failure takes it away: what is half written must not fill a disk that is full already.
        let staged = Self {
            dir,
            temporary: Some(temporary),
        };
        let mut file = File::from(file);
        file.write_all(bytes)?;
        if let Some((uid, gid)) = access.owner {
            fchown(&file, Some(uid), Some(gid))?;
        }
        fchmod(&file, access.mode)?;
        file.sync_all()?;
        Ok(staged)
    }

    /// Gives it its name, and brings that to the disk.
    pub(crate) fn publish(mut self, name: &str) -> io::Result<()> {
        if let Some(temporary) = &self.temporary {
            renameat(&self.dir, temporary.as_str(), &self.dir, name)?;
        }
        self.temporary = None;
        Ok(fsync(&self.dir)?)
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &D {
        &self.dir
    }

    /// Its name until then.
    pub(crate) fn temporary(&self) -> &str {
        self.temporary.as_deref().unwrap_or_default()
    }
}

impl<D: AsFd> Drop for Staged<D> {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = unlinkat(&self.dir, temporary.as_str(), AtFlags::empty());
        }
    }
}

/// Puts a file in place. No pattern of sshd's takes in a temporary name: it begins with a dot.
pub(crate) fn replace(dir: impl AsFd, name: &str, bytes: &[u8], access: Access) -> io::Result<()> {
    Staged::write(dir, format!(".{name}.new"), bytes, access)?.publish(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::path::Path;

    use super::*;

    const ACCESS: Access = Access {
        mode: Mode::RUSR.union(Mode::RGRP),
        owner: None,
    };

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_file_is_replaced_with_its_permissions_and_nothing_is_left_beside_it() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = File::open(scratch.path()).unwrap();
        let (file, left) = (scratch.path().join("f"), scratch.path().join(".f.new"));
        std::fs::write(&file, "old").unwrap();
        std::fs::write(&left, "left by a crash").unwrap();
        replace(&dir, "f", b"new", ACCESS).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        let metadata = std::fs::metadata(&file).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o440);
        let nobody = Access {
            owner: Some((Uid::from_raw(65_534), Gid::from_raw(65_534))),
            ..ACCESS
        };
        replace(&dir, "f", b"newer", nobody).unwrap();
        let metadata = std::fs::metadata(&file).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (65_534, 65_534));
        assert_eq!(names(scratch.path()), ["f"]);
    }

    #[test]
    fn what_is_not_published_or_cannot_be_leaves_nothing_and_no_link_is_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = File::open(scratch.path()).unwrap();
        drop(Staged::write(&dir, ".f.new".to_owned(), b"x", ACCESS).unwrap());
        assert_eq!(names(scratch.path()), [""; 0]);
        let target = scratch.path().join("target");
        std::fs::write(&target, "kept").unwrap();
        symlink(&target, scratch.path().join(".f.new")).unwrap();
        replace(&dir, "f", b"x", ACCESS).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"kept");
        std::fs::create_dir(scratch.path().join("d")).unwrap();
        assert!(replace(&dir, "d", b"x", ACCESS).is_err());
        let mut left = names(scratch.path());
        left.sort();
        assert_eq!(left, ["d", "f", "target"]);
    }
}
