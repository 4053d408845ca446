//! Hears when a record appears.
//!
//! The kernel tells (inotify): a login need not, so it can't be held up by a daemon that hangs.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::error::Error;
use crate::process::Process;
use crate::records::monitor_of;

/// A directory that is watched.
#[derive(Debug)]
pub(crate) struct Watch {
    inotify: OwnedFd,
    path: PathBuf,
}

/// What may have changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// These records appeared.
    Records(Vec<Process>),
    /// Nothing was heard for a while, or too much: everything is to be looked at.
    Anything,
}

impl Watch {
    /// Watches a directory of records from now on.
    pub(crate) fn on(path: &Path) -> Result<Self, Error> {
        let failed = |err: Errno| Error::io(path, err);
        let inotify =
            inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(failed)?;
        let what = WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
        inotify::add_watch(&inotify, path, what).map_err(failed)?;
        Ok(Self {
            inotify,
            path: path.to_owned(),
        })
    }

    /// Waits for a change, but not longer than `limit`.
    ///
    /// # Errors
    /// When the directory is gone: what is made anew in its place would not be heard of.
    pub(crate) fn next(&self, limit: Duration) -> Result<Change, Error> {
        let timeout = Timespec::try_from(limit).unwrap_or(Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        });
        match poll(
            &mut [PollFd::new(&self.inotify, PollFlags::IN)],
            Some(&timeout),
        ) {
            Ok(0) | Err(Errno::INTR) => Ok(Change::Anything),
            Ok(_) => self.read(),
            Err(err) => Err(Error::io(&self.path, err)),
        }
    }

    fn read(&self) -> Result<Change, Error> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut records = Vec::new();
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::WOULDBLOCK) => return Ok(Change::Records(records)),
                Err(Errno::INTR) => continue,
                Err(err) => return Err(Error::io(&self.path, err)),
            };
            if event.events().contains(ReadFlags::IGNORED) {
                return Err(Error::io(&self.path, io::ErrorKind::NotFound));
            }
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                return Ok(Change::Anything);
            }
            let name = event.file_name().map(|name| name.to_bytes());
            records.extend(name.and_then(|name| monitor_of(std::ffi::OsStr::from_bytes(name))));
        }
    }
}

/// Bytes of events that are read at one time.
const BUFFER: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::record::tests::record;
    use crate::records::Records;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn a_record_is_heard_of_once_it_is_whole_and_other_files_are_not() {
        let base = tempfile::tempdir().unwrap();
        let records = Records::open(base.path()).unwrap();
        let watch = Watch::on(records.path()).unwrap();
        let _lock = records.lock().unwrap();
        let monitor = Process {
            pid: 41,
            start: 4711,
        };
        records.put(&record(monitor)).unwrap();
        records.remove(monitor).unwrap();
        assert_eq!(watch.next(LONG).unwrap(), Change::Records(vec![monitor]));
        assert_eq!(watch.next(Duration::ZERO).unwrap(), Change::Anything);
    }

    #[test]
    fn a_directory_that_goes_away_is_an_error() {
        let base = tempfile::tempdir().unwrap();
        let records = Records::open(base.path()).unwrap();
        let watch = Watch::on(records.path()).unwrap();
        fs::remove_dir_all(records.path()).unwrap();
        assert!(watch.next(LONG).is_err());
    }
}
