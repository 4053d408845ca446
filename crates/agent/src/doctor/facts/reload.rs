//! Whether sshd has read its files as they are now.
//!
//! sshd writes its `PidFile` each time it has read its configuration: at its start, and anew after a SIGHUP (sshd.c). Where that file has the
//! number of the sshd that listens, its time is that of the last reading. Without such a file nobody can tell: the start of the
//! process is no measure, for a reload keeps it, and systemd knows only of reloads that went through it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use keyroster_sshd::process::Process;
use keyroster_sshd::service::Listener;

use crate::doctor::facts::files::read_some;
use crate::doctor::facts::sshd::SshdFacts;

/// The files that changed since sshd has read them; none where that can't be told.
#[must_use]
pub fn gather(facts: &SshdFacts) -> Option<Vec<PathBuf>> {
    let asked = facts.logins.first()?;
    let pid_file = Path::new(asked.effective.set("PidFile")?);
    let bytes = read_some(pid_file, MAX_BYTES).ok()?;
    let pid: u32 = String::from_utf8_lossy(&bytes).trim().parse().ok()?;
    let process = Process::now(pid)?;
    let listeners = Listener::of(&facts.config).ok()?;
    listeners.iter().find(|it| it.process() == process)?;
    let read = modified(&std::fs::metadata(pid_file).ok()?);
    let is_newer = |file: &&PathBuf| std::fs::metadata(file).is_ok_and(|it| changed(&it) > read);
    let files = facts.tree.files().iter();
    Some(files.filter(is_newer).cloned().collect())
}

fn modified(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

/// Of the entry, not of what stands in it: a package brings its files with the times that they had when it was made.
fn changed(metadata: &Metadata) -> (i64, i64) {
    (metadata.ctime(), metadata.ctime_nsec())
}

const MAX_BYTES: u64 = 32;
