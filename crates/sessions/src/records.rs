//! The directory of records: one file for each open session, named after sshd's process.
//!
//! The outer directory can be entered by all, since the socket lies in it; the records themselves are in one that only root
//! can enter. A record appears by renaming, so that whoever sees it sees all of it. Nothing is synced: the directory is on a
//! file system that does not outlive the boot, as sessions don't.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::error::Error;
use crate::process::Process;
use crate::record::Record;

/// The directory of records, known to be root's alone.
#[derive(Debug)]
pub(crate) struct Records {
    path: PathBuf,
}

/// Held by the daemon while it runs.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Records {
    /// The records below `base`; both directories are made where they are missing.
    pub(crate) fn open(base: &Path) -> Result<Self, Error> {
        make(base, 0o755)?;
        trust(base, WRITABLE_BY_OTHERS)?;
        let path = base.join(RECORDS);
        make(&path, 0o700)?;
        trust(&path, FOR_OTHERS)?;
        Ok(Self { path })
    }

    /// Where the records are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the place of the one daemon.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let path = self.path.join(LOCK);
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(FILE_MODE)
            .custom_flags(no_follow())
            .open(&path)
            .map_err(|err| Error::io(&path, err))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Running(self.path.clone())),
            Err(err) => Err(Error::io(path, err)),
        }
    }

    /// Keeps a record.
    pub(crate) fn put(&self, record: &Record) -> io::Result<()> {
        let temporary = self.path.join(format!("{}{}", record.monitor, UNFINISHED));
        let _left_by_a_crash = fs::remove_file(&temporary);
        let mut file = fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(FILE_MODE)
            .open(&temporary)?;
        let written = file
            .write_all(record.to_text().as_bytes())
            .and_then(|()| fs::rename(&temporary, self.file(record.monitor)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// The record of the session that this process holds; none when there is none.
    ///
    /// # Errors
    /// When it can't be read, or is not what this program writes.
    pub(crate) fn get(&self, monitor: Process) -> io::Result<Option<Record>> {
        let file = fs::OpenOptions::new()
            .read(true)
            .custom_flags(no_follow())
            .open(self.file(monitor));
        let file = match file {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = String::new();
        file.take(RECORD_MAX).read_to_string(&mut text)?;
        match Record::parse(&text).filter(|record| record.monitor == monitor) {
            Some(record) => Ok(Some(record)),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Removes a record, if it is there.
    pub(crate) fn remove(&self, monitor: Process) -> io::Result<()> {
        match fs::remove_file(self.file(monitor)) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// The sessions that have records.
    pub(crate) fn all(&self) -> io::Result<Vec<Process>> {
        let entries = fs::read_dir(&self.path)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries
            .iter()
            .filter_map(|entry| monitor_of(&entry.file_name()))
            .collect())
    }

    fn file(&self, monitor: Process) -> PathBuf {
        self.path.join(monitor.to_string())
    }
}

/// The session that a file of this name is about.
pub(crate) fn monitor_of(name: &OsStr) -> Option<Process> {
    str::from_utf8(name.as_bytes()).ok()?.parse().ok()
}

/// Makes a directory of exactly this mode.
fn make(path: &Path, mode: u32) -> Result<(), Error> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        // The umask is that of whoever logs in; what it took away is given back.
        Ok(()) => fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
            .map_err(|err| Error::io(path, err)),
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(err) => Err(Error::io(path, err)),
    }
}

/// Fails for what is no directory, or somebody else's, or lets others do what `forbidden` says.
fn trust(path: &Path, forbidden: u32) -> Result<(), Error> {
    let metadata = fs::symlink_metadata(path).map_err(|err| Error::io(path, err))?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if metadata.is_dir() && ours && metadata.mode() & forbidden == 0 {
        Ok(())
    } else {
        Err(Error::Untrusted(path.to_owned()))
    }
}

fn no_follow() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

const RECORDS: &str = "records";
const LOCK: &str = "lock";
/// What the name of a record ends in that is not whole yet.
const UNFINISHED: &str = ".new";
/// Longest record that is read, in bytes.
const RECORD_MAX: u64 = 64 * 1024;
const FILE_MODE: u32 = 0o600;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const FOR_OTHERS: u32 = 0o077;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::record::tests::record;

    const MONITOR: Process = Process {
        pid: 41,
        start: 4711,
    };

    fn base() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        dir
    }

    #[test]
    fn a_record_is_kept_for_root_alone_and_goes_when_it_is_removed() {
        let base = base();
        let records = Records::open(&base.path().join("run")).unwrap();
        records.put(&record(MONITOR)).unwrap();
        assert_eq!(records.get(MONITOR).unwrap(), Some(record(MONITOR)));
        assert_eq!(records.all().unwrap(), [MONITOR]);
        let modes = [records.path().to_owned(), records.file(MONITOR)]
            .map(|path| fs::metadata(path).unwrap().mode() & 0o7777);
        assert_eq!(modes, [0o700, 0o600]);
        records.remove(MONITOR).unwrap();
        records.remove(MONITOR).unwrap();
        assert_eq!(records.get(MONITOR).unwrap(), None);
        assert_eq!(records.all().unwrap(), []);
    }

    #[test]
    fn a_directory_that_others_can_change_is_not_used() {
        let base = base();
        let run = base.path().join("run");
        drop(Records::open(&run).unwrap());
        for (path, mode) in [
            (run.clone(), 0o775),
            (run.clone(), 0o757),
            (run.join(RECORDS), 0o750),
        ] {
            let before = fs::metadata(&path).unwrap().permissions();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(Records::open(&run), Err(Error::Untrusted(_))),
                "{mode:o}"
            );
            fs::set_permissions(&path, before).unwrap();
        }
        let link = base.path().join("link");
        symlink(&run, &link).unwrap();
        assert!(matches!(Records::open(&link), Err(Error::Untrusted(_))));
    }

    #[test]
    fn a_file_that_is_no_record_or_of_another_process_is_refused() {
        let base = base();
        let records = Records::open(base.path()).unwrap();
        let other = Process {
            start: 1,
            ..MONITOR
        };
        for text in ["", "keyroster-session 2\n", &record(other).to_text()] {
            fs::write(records.file(MONITOR), text).unwrap();
            assert!(records.get(MONITOR).is_err(), "{text}");
        }
        for name in ["lock", "41-4711.new", "x", "41-4711~"] {
            assert_eq!(monitor_of(OsStr::new(name)), None, "{name}");
        }
    }

    #[test]
    fn there_is_one_daemon_for_a_directory() {
        let base = base();
        let records = Records::open(base.path()).unwrap();
        let lock = records.lock().unwrap();
        assert!(matches!(records.lock(), Err(Error::Running(_))));
        drop(lock);
        assert!(records.lock().is_ok());
    }
}
