//! The mark by which `keyroster-sessions record` knows that a login is a drill.
//!
//! A file of root's, named after this process: it is the parent of the sshd that serves the login. Whatever the login is recorded
//! with is written into it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::break_glass::drill::DrillError;

/// The mark. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Mark(PathBuf);

impl Mark {
    /// Leaves it below the directory of sessions, which is made if it is missing.
    pub(super) fn leave(sessions: &Path) -> Result<Self, DrillError> {
        let dir = sessions.join(DRILLS);
        let file = dir.join(own_name().unwrap_or_default());
        let failed = |err| DrillError::Mark {
            path: file.clone(),
            err,
        };
        make(sessions, 0o755).map_err(failed)?;
        make(&dir, 0o700).map_err(failed)?;
        fs::write(&file, "").map_err(failed)?;
        Ok(Self(file))
    }

    /// Whether a login was recorded.
    pub(super) fn was_seen(&self) -> bool {
        fs::metadata(&self.0).is_ok_and(|metadata| metadata.len() > 0)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn make(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => Err(err),
        _ => Ok(()),
    }
}

/// `<pid>-<start>`, with the start from `/proc/self/stat`: the twenty-second field, where the second may hold blanks.
fn own_name() -> Option<String> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let start = fields.split_ascii_whitespace().nth(19)?;
    Some(format!("{}-{start}", std::process::id()))
}

const DRILLS: &str = "drills";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_named_after_this_very_process_and_gone_afterwards() {
        let scratch = tempfile::tempdir().unwrap();
        let mark = Mark::leave(&scratch.path().join("sessions")).unwrap();
        let file = mark.0.clone();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let (pid, start) = name.split_once('-').unwrap();
        assert_eq!(pid, std::process::id().to_string());
        assert!(start.parse::<u64>().unwrap() > 0);
        assert!(!mark.was_seen());
        fs::write(&file, "saw SHA256:x\n").unwrap();
        assert!(mark.was_seen());
        drop(mark);
        assert!(!file.exists());
    }
}
