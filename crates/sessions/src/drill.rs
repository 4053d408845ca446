//! Whether a login is a trial of the break-glass way in.
//!
//! Who drills starts an sshd, and leaves a file here that is named after that process. Only root can, and only logins that
//! came through that very process are trials: nobody can pass a use off for one.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use keyroster_keys::Fingerprint;

use crate::login::Monitor;
use crate::process::{Process, Processes};

/// A drill that is going on.
#[derive(Debug)]
pub(crate) struct Drill {
    file: PathBuf,
}

impl Drill {
    /// The drill that the login belongs to; none when it is an ordinary one.
    pub(crate) fn of(base: &Path, monitor: &Monitor) -> Option<Self> {
        let stat = Processes::of_system().stat(monitor.parent).ok()??;
        let listener = Process {
            pid: monitor.parent,
            start: stat.start,
        };
        let dir = base.join(DRILLS);
        let trusted = fs::symlink_metadata(&dir).is_ok_and(|metadata| {
            use std::os::unix::fs::MetadataExt as _;
            metadata.is_dir() && metadata.uid() == ROOT && metadata.mode() & FOR_OTHERS == 0
        });
        let file = dir.join(listener.to_string());
        (trusted && file.is_file()).then_some(Self { file })
    }

    /// Tells whoever drills that the login was seen.
    pub(crate) fn saw(&self, key: &Fingerprint) {
        let told = fs::OpenOptions::new()
            .append(true)
            .open(&self.file)
            .and_then(|mut file| writeln!(file, "saw {key}"));
        // The drill then says that its login was not seen.
        let _ = told;
    }
}

/// Below the directory of sessions; the drill makes it.
const DRILLS: &str = "drills";
const ROOT: u32 = 0;
const FOR_OTHERS: u32 = 0o077;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_a_login_below_the_named_process_is_a_drill() {
        let base = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        let start = Processes::of_system().stat(pid).unwrap().unwrap().start;
        let monitor = Monitor {
            process: Process { pid: 1, start: 1 },
            parent: pid,
        };
        let dir = base.path().join(DRILLS);
        fs::create_dir(&dir).unwrap();
        let mode = |mode| fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o700);
        let earlier = Process {
            pid,
            start: start - 1,
        };
        fs::write(dir.join(earlier.to_string()), "").unwrap();
        assert!(Drill::of(base.path(), &monitor).is_none());
        let listener = Process { pid, start };
        fs::write(dir.join(listener.to_string()), "").unwrap();
        let drill = Drill::of(base.path(), &monitor).unwrap();
        drill.saw(&Fingerprint::from_digest([7; 32]));
        assert!(
            fs::read_to_string(&drill.file)
                .unwrap()
                .starts_with("saw SHA256:")
        );
        mode(0o770);
        assert!(Drill::of(base.path(), &monitor).is_none());
    }
}
