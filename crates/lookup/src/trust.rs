//! Which programs may be executed: sshd's own rule for its key command.
//!
//! Every component of the real path must be root's and not writable by group or others. Otherwise whoever can change one of
//! them decides who logs in.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::WRITABLE_BY_OTHERS;
use crate::outcome::Why;

/// The real path of `program`, once every component of it has been found to be root's alone.
pub(crate) fn trusted_program(program: &Path) -> Result<PathBuf, Why> {
    let real = fs::canonicalize(program).map_err(|_| Why::NotStarted)?;
    let metadata = fs::symlink_metadata(&real).map_err(|_| Why::NotStarted)?;
    if !metadata.is_file() {
        return Err(Why::NotStarted);
    }
    for component in real.ancestors() {
        let metadata = fs::symlink_metadata(component).map_err(|_| Why::ProgramMistrusted)?;
        if metadata.uid() != 0 || metadata.mode() & WRITABLE_BY_OTHERS != 0 {
            return Err(Why::ProgramMistrusted);
        }
    }
    Ok(real)
}
