//! `--fix`: mends that need no judgement, shown before they are made.
//!
//! Only modes of keyroster's own files that are root's already, and a directory that is missing. Who else owned a file may have
//! written it, so an owner is never changed here: somebody has to read the file first. What sshd is told to do is changed by
//! `enable` and `disable` alone, which prove it before.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use crate::doctor::checks::paths::quoted;
use crate::doctor::report::Report;

/// One mend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fix {
    /// Takes away that group and others can write to something that is root's.
    TakeWrite {
        /// What.
        path: PathBuf,
        /// Its mode as it was seen.
        mode: u32,
    },
    /// Makes a directory that is missing.
    Make {
        /// Where.
        path: PathBuf,
    },
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// Somebody said so beforehand.
    Given,
    /// Somebody has to be asked.
    Asked,
}

impl Fix {
    /// Makes it, if what is there is still what was seen.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn make(&self) -> io::Result<()> {
        match self {
            Self::TakeWrite { path, mode } => take_write(path, *mode),
            Self::Make { path } => std::fs::DirBuilder::new().mode(DIRECTORY_MODE).create(path),
        }
    }
}

/// Through one open file, so that nobody puts another one in its place in between; a link is not followed.
fn take_write(path: &Path, mode: u32) -> io::Result<()> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    if metadata.uid() != 0 || metadata.mode() & MODE != mode {
        return Err(io::Error::other("it has changed since it was looked at"));
    }
    file.set_permissions(std::fs::Permissions::from_mode(mode & !WRITE_OF_OTHERS))
}

/// The mends of a report, each once.
#[must_use]
pub fn of(report: &Report) -> Vec<Fix> {
    let mut fixes: Vec<Fix> = report.findings().filter_map(|it| it.fix.clone()).collect();
    fixes.sort_unstable();
    fixes.dedup();
    fixes
}

/// Shows the mends, asks unless leave was given, and makes them. Returns whether anything was changed.
///
/// # Errors
/// When one can't be made; those before it were.
pub fn run(fixes: &[Fix], leave: Leave) -> io::Result<bool> {
    let mut stderr = io::stderr().lock();
    if fixes.is_empty() {
        writeln!(stderr, "there is nothing that --fix mends by itself")?;
        return Ok(false);
    }
    for fix in fixes {
        writeln!(stderr, "{fix}")?;
    }
    if leave == Leave::Asked && !agreed(&mut stderr)? {
        writeln!(stderr, "nothing was changed")?;
        return Ok(false);
    }
    fixes.iter().try_for_each(Fix::make)?;
    Ok(true)
}

/// Whoever can't be asked has not agreed.
fn agreed(stderr: &mut impl io::Write) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    write!(stderr, "make these changes? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "yes"))
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakeWrite { path, mode } => {
                let path = quoted(path);
                writeln!(f, "- {mode:04o} {path}")?;
                writeln!(f, "+ {:04o} {path}", mode & !WRITE_OF_OTHERS)?;
                write!(f, "  chmod go-w {path}")
            }
            Self::Make { path } => {
                let path = quoted(path);
                writeln!(f, "+ {DIRECTORY_MODE:04o} {path}")?;
                write!(f, "  install -d -o root -g root -m 755 {path}")
            }
        }
    }
}

const MODE: u32 = 0o7777;
const WRITE_OF_OTHERS: u32 = 0o022;
const DIRECTORY_MODE: u32 = 0o755;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_mended_if_it_is_still_the_one_that_was_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lookup.conf");
        std::fs::write(&path, "").unwrap();
        let set =
            |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let mode = || path.metadata().unwrap().mode() & MODE;
        set(0o666);
        let fix = Fix::TakeWrite {
            path: path.clone(),
            mode: 0o666,
        };
        fix.make().unwrap();
        assert_eq!(mode(), 0o644);
        set(0o777);
        assert!(fix.make().is_err());
        assert_eq!(mode(), 0o777);
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        std::fs::write(&target, "").unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o666)).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(
            Fix::TakeWrite {
                path: link,
                mode: 0o666
            }
            .make()
            .is_err()
        );
        assert_eq!(target.metadata().unwrap().mode() & MODE, 0o666);
    }

    #[test]
    fn what_would_be_done_is_shown_as_a_difference_and_as_a_command() {
        let fix = Fix::TakeWrite {
            path: "/etc/x".into(),
            mode: 0o664,
        };
        assert_eq!(
            fix.to_string(),
            "- 0664 /etc/x\n+ 0644 /etc/x\n  chmod go-w /etc/x"
        );
    }

    #[test]
    fn nobody_who_can_not_be_asked_agrees() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("break-glass");
        let fixes = [Fix::Make { path: path.clone() }];
        if !io::stdin().is_terminal() {
            assert!(!run(&fixes, Leave::Asked).unwrap());
            assert!(!path.exists());
        }
        assert!(run(&fixes, Leave::Given).unwrap());
        assert_eq!(path.metadata().unwrap().mode() & MODE, 0o755);
    }
}
