//! Files with secrets in them: read only when nobody else can, written so that nobody else ever could.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// What other users may not be able to do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Neither read nor write it.
    ToAll,
    /// Not write it. For a file that something else provides: container runtimes mount secrets readable by all, behind a
    /// directory that is not.
    ToWriters,
}

/// Refuses an open file with which other users can do too much, or which belongs to one of them. What is no file of a file
/// system, such as the pipe of a shell's `<(…)`, is let through: it has no permissions that mean anything.
pub(crate) fn check(file: &File, path: &Path, kind: &str, closed: Closed) -> Result<()> {
    let shown = path.display();
    let metadata = file.metadata().map_err(|error| {
        Failure::new(
            Exit::Config,
            format!("can't examine the {kind} \"{shown}\": {error}"),
        )
    })?;
    if !metadata.is_file() {
        return Ok(());
    }
    let me = rustix::process::geteuid().as_raw();
    if metadata.uid() != me && metadata.uid() != ROOT {
        let what = format!("the {kind} \"{shown}\" belongs to another user");
        return Err(Failure::new(Exit::Config, what).hint(format!("chown {me} \"{shown}\"")));
    }
    let mode = metadata.mode() & ALL_PERMISSIONS;
    let forbidden = match closed {
        Closed::ToAll => OTHERS_ALL,
        Closed::ToWriters => OTHERS_WRITE,
    };
    if mode & forbidden == 0 {
        return Ok(());
    }
    let what = format!("the {kind} \"{shown}\" is open to other users (mode {mode:04o})");
    Err(Failure::new(Exit::Config, what).hint(format!("chmod 600 \"{shown}\"")))
}

/// Writes the file as one step: whoever looks finds the old content or the new one, and at no moment can others read it.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(OWN_DIR)
        .create(dir)?;
    let temporary = dir.join(format!(".keyroster-{}.tmp", std::process::id()));
    let written = write_new(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to tell; a leftover temporary file is readable by its owner only.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(dir)?.sync_all()
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    // Left behind by an earlier process of this number; `create_new` would refuse it.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWN_FILE)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

const ROOT: u32 = 0;
/// Permission bits of group and others.
const OTHERS_ALL: u32 = 0o077;
/// Those of them that let somebody write.
const OTHERS_WRITE: u32 = 0o022;
const ALL_PERMISSIONS: u32 = 0o7777;
const OWN_FILE: u32 = 0o600;
const OWN_DIR: u32 = 0o700;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file_with_mode(dir: &Path, mode: u32, closed: Closed) -> Result<()> {
        let path = dir.join("config.toml");
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        check(&File::open(&path).unwrap(), &path, "configuration", closed)
    }

    #[test]
    fn a_file_that_others_can_read_or_write_is_refused_with_the_command_that_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o400, 0o700] {
            assert_eq!(
                file_with_mode(dir.path(), mode, Closed::ToAll),
                Ok(()),
                "{mode:o}"
            );
        }
        for mode in [0o640, 0o620, 0o604, 0o602, 0o644, 0o666] {
            let failure = file_with_mode(dir.path(), mode, Closed::ToAll).unwrap_err();
            assert_eq!(failure.exit(), Exit::Config, "{mode:o}");
            assert!(failure.to_string().contains("hint: chmod 600"), "{failure}");
        }
    }

    #[test]
    fn a_file_that_others_provide_may_be_read_by_them_but_not_written() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, accepted) in [(0o444, true), (0o644, true), (0o664, false), (0o602, false)] {
            let checked = file_with_mode(dir.path(), mode, Closed::ToWriters);
            assert_eq!(checked.is_ok(), accepted, "{mode:o}");
        }
    }

    #[test]
    fn a_replaced_file_is_its_owners_alone_whatever_it_was_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/keyroster/config.toml");
        replace(&path, b"one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().mode() & ALL_PERMISSIONS,
            OWN_FILE
        );
        let parent = path.parent().unwrap();
        assert_eq!(
            fs::metadata(parent).unwrap().mode() & ALL_PERMISSIONS,
            OWN_DIR
        );
        assert_eq!(
            fs::read_dir(parent).unwrap().count(),
            1,
            "nothing is left behind"
        );
    }

    #[test]
    fn a_file_that_cannot_be_replaced_stays_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "x").unwrap();
        assert!(replace(&path, b"new").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
