//! Directories that sshd trusts.
//!
//! sshd runs a key command only when every component of its path belongs to root and can be written by nobody else, so
//! nothing under a world-writable `/tmp` will do.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Failure, Result, binary, require_root};

/// A root-owned directory of mode 0755 under `/run`, removed with its contents when dropped.
#[derive(Debug)]
pub struct RootDir {
    path: PathBuf,
    kept: bool,
}

impl RootDir {
    /// A new directory for a test.
    pub fn new() -> Result<Self> {
        Self::named("keyroster-test")
    }

    /// A new directory whose name begins with `prefix`.
    pub fn named(prefix: &str) -> Result<Self> {
        require_root()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/run/{prefix}-{}-{number}", std::process::id()));
        make_dir(&path, 0o755)?;
        Ok(Self { path, kept: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory in place when dropped.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// Makes a directory inside, of this mode whatever the umask.
    pub fn dir(&self, name: &str, mode: u32) -> Result<PathBuf> {
        let path = self.path.join(name);
        make_dir(&path, mode)?;
        Ok(path)
    }

    /// Writes a file inside, of this mode whatever the umask.
    pub fn file(&self, name: &str, contents: impl AsRef<[u8]>, mode: u32) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, contents).map_err(|error| Failure::io("write", &path, &error))?;
        set_mode(&path, mode)?;
        Ok(path)
    }

    /// Copies one of our built programs here, executable by all.
    pub fn install(&self, program: &str) -> Result<PathBuf> {
        self.install_file(&binary(program)?)
    }

    /// Copies a program from where it lies, executable by all.
    pub fn install_file(&self, from: &Path) -> Result<PathBuf> {
        let name = from.file_name().unwrap_or_default();
        let to = self.path.join(name);
        fs::copy(from, &to).map_err(|error| Failure::io("copy", from, &error))?;
        set_mode(&to, 0o755)?;
        Ok(to)
    }
}

impl Drop for RootDir {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Copies `keyroster-lookup` into `dir`, such that sshd runs it from there.
pub fn install_lookup(dir: &RootDir) -> Result<PathBuf> {
    dir.install("keyroster-lookup")
}

fn make_dir(path: &Path, mode: u32) -> Result {
    fs::DirBuilder::new()
        .mode(mode)
        .create(path)
        .map_err(|error| Failure::io("make directory", path, &error))?;
    set_mode(path, mode)
}

fn set_mode(path: &Path, mode: u32) -> Result {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| Failure::io("set the mode of", path, &error))
}

static NEXT: AtomicU32 = AtomicU32::new(0);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_directory_and_all_above_it_belong_to_root_and_only_root_writes_there() {
        let dir = RootDir::new().unwrap();
        for component in dir.path().ancestors() {
            let metadata = fs::metadata(component).unwrap();
            assert_eq!(
                (metadata.uid(), metadata.mode() & 0o022),
                (0, 0),
                "{}",
                component.display()
            );
        }
    }

    #[test]
    fn a_dropped_directory_is_gone_with_its_contents() {
        let dir = RootDir::new().unwrap();
        let file = dir.file("x", "y", 0o600).unwrap();
        drop(dir);
        assert!(!file.exists());
    }
}
