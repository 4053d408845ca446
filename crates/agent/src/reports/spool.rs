//! The two directories of reports.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use keyroster_wire::{REPORT_MAX, REPORTS_MAX, Report, ReportId};
use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;

use crate::whole_file::{Access, Staged};

/// Where reports lie: in memory, and on disk.
#[derive(Debug)]
pub struct Spools {
    memory: PathBuf,
    disk: PathBuf,
    /// What was complained about: once, since it is looked at every other second.
    complaints: Mutex<BTreeMap<PathBuf, String>>,
}

impl Spools {
    /// Those at these paths, which need not exist.
    #[must_use]
    pub fn at(memory: &Path, disk: &Path) -> Self {
        Self {
            memory: memory.to_owned(),
            disk: disk.to_owned(),
            complaints: Mutex::default(),
        }
    }

    /// What there is to tell, the oldest first; each report once.
    #[must_use]
    pub fn read(&self) -> Vec<Report> {
        let mut reports = BTreeMap::new();
        for dir in [&self.disk, &self.memory] {
            for report in self.read_dir(dir) {
                reports.insert((report.at_s, report.id), report);
            }
        }
        reports.into_values().collect()
    }

    /// Brings to the disk what is still in memory. Who wrote it has tried that too; the disk may have been full.
    pub fn settle(&self) {
        for report in self.read_dir(&self.memory) {
            match self.bring(&report) {
                // A report that stays in memory is told once all the same.
                Ok(()) => drop(remove(&self.memory, report.id)),
                Err(err) => self.complain(&self.disk, &err),
            }
        }
    }

    /// Forgets a report that was told.
    pub(super) fn remove(&self, id: ReportId) -> Removal {
        let both = [&self.memory, &self.disk].map(|dir| remove(dir, id));
        match both.into_iter().all(|removed| removed == Removal::Gone) {
            true => Removal::Gone,
            false => Removal::Failed,
        }
    }

    fn bring(&self, report: &Report) -> io::Result<()> {
        let text = report.to_text().ok_or(ErrorKind::InvalidData)?;
        let access = Access {
            mode: Mode::from_raw_mode(FILE_MODE),
            owner: None,
        };
        let temporary = format!(".{}-agent", report.id);
        let dir = File::open(&self.disk)?;
        Staged::write(dir, temporary, text.as_bytes(), access)?.publish(&report.id.to_string())
    }

    fn read_dir(&self, dir: &Path) -> Vec<Report> {
        let entries = match fs::read_dir(dir) {
            // Nobody has had anything to report.
            Err(err) if err.kind() == ErrorKind::NotFound => return Vec::new(),
            Err(err) => {
                self.complain(dir, &err);
                return Vec::new();
            }
            Ok(entries) => entries,
        };
        let ids = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .take(REPORTS_MAX);
        ids.filter_map(|id: ReportId| {
            let path = dir.join(id.to_string());
            read(&path, id)
                .inspect_err(|err| self.complain(&path, err))
                .ok()?
        })
        .collect()
    }

    fn complain(&self, path: &Path, err: &io::Error) {
        let mut complaints = self
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let text = err.to_string();
        if complaints.len() < COMPLAINTS_MAX
            && complaints.insert(path.to_owned(), text.clone()).as_ref() != Some(&text)
        {
            tracing::error!(path = %path.display(), error = text, "a report can't be read, or not be put on disk");
        }
    }
}

/// A report; none when it is gone.
fn read(path: &Path, id: ReportId) -> io::Result<Option<Report>> {
    let file = File::options()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path);
    let file = match file {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let metadata = file.metadata()?;
    let trusted = [ROOT, geteuid().as_raw()].contains(&metadata.uid())
        && metadata.is_file()
        && metadata.mode() & WRITABLE_BY_OTHERS == 0;
    if !trusted {
        return Err(io::Error::other("it is not a file of root's"));
    }
    let mut text = String::new();
    file.take(REPORT_MAX).read_to_string(&mut text)?;
    let report = Report::parse(&text).filter(|report| report.id == id && super::is_sound(report));
    report
        .map(Some)
        .ok_or_else(|| ErrorKind::InvalidData.into())
}

/// What came of removing a report.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// It is not there.
    Gone,
    /// It still is.
    Failed,
}

fn remove(dir: &Path, id: ReportId) -> Removal {
    match fs::remove_file(dir.join(id.to_string())) {
        Err(err) if err.kind() != ErrorKind::NotFound => Removal::Failed,
        _ => Removal::Gone,
    }
}

const ROOT: u32 = 0;
const FILE_MODE: u32 = 0o640;
const WRITABLE_BY_OTHERS: u32 = 0o002;
/// Paths that are remembered as complained about.
const COMPLAINTS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use keyroster_wire::ReportKind;

    use super::*;

    fn report(number: u8, at_s: i64) -> Report {
        Report {
            kind: ReportKind::BreakGlass,
            id: ReportId::from_random([number; 16]),
            account: "deploy".to_owned(),
            key: "SHA256:Nh0Me49Zh9fDw/VYUfq43IJmI1T+XrjiYONPND8GzaM".to_owned(),
            at_s,
        }
    }

    struct Stage {
        _scratch: tempfile::TempDir,
        spools: Spools,
    }

    impl Stage {
        fn new() -> Self {
            let scratch = tempfile::tempdir().unwrap();
            let [memory, disk] = ["memory", "disk"].map(|name| scratch.path().join(name));
            for dir in [&memory, &disk] {
                fs::create_dir(dir).unwrap();
            }
            Self {
                spools: Spools::at(&memory, &disk),
                _scratch: scratch,
            }
        }

        fn put(&self, dir: &Path, report: &Report) {
            let path = dir.join(report.id.to_string());
            fs::write(path, report.to_text().unwrap()).unwrap();
        }
    }

    #[test]
    fn reports_are_read_once_each_and_the_oldest_first() {
        let stage = Stage::new();
        stage.put(&stage.spools.memory, &report(1, 30));
        stage.put(&stage.spools.memory, &report(2, 20));
        stage.put(&stage.spools.disk, &report(2, 20));
        stage.put(&stage.spools.disk, &report(3, 10));
        assert_eq!(
            stage.spools.read(),
            [report(3, 10), report(2, 20), report(1, 30)]
        );
        assert_eq!(stage.spools.remove(report(2, 20).id), Removal::Gone);
        assert_eq!(stage.spools.read(), [report(3, 10), report(1, 30)]);
    }

    #[test]
    fn what_is_in_memory_is_brought_to_the_disk_and_stays_when_that_fails() {
        let stage = Stage::new();
        stage.put(&stage.spools.memory, &report(1, 30));
        fs::remove_dir(&stage.spools.disk).unwrap();
        stage.spools.settle();
        assert_eq!(stage.spools.read_dir(&stage.spools.memory), [report(1, 30)]);
        fs::create_dir(&stage.spools.disk).unwrap();
        stage.spools.settle();
        assert_eq!(stage.spools.read_dir(&stage.spools.memory), []);
        assert_eq!(stage.spools.read_dir(&stage.spools.disk), [report(1, 30)]);
        assert_eq!(fs::read_dir(&stage.spools.disk).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_report_hides_no_other() {
        let stage = Stage::new();
        let disk = &stage.spools.disk;
        stage.put(disk, &report(1, 30));
        fs::write(disk.join(report(2, 1).id.to_string()), "nonsense").unwrap();
        fs::write(
            disk.join(report(3, 1).id.to_string()),
            report(4, 1).to_text().unwrap(),
        )
        .unwrap();
        std::os::unix::fs::symlink("/dev/zero", disk.join(report(5, 1).id.to_string())).unwrap();
        let odd = Report {
            account: "..".to_owned(),
            ..report(6, 1)
        };
        stage.put(disk, &odd);
        for name in [".hidden", "x"] {
            fs::write(disk.join(name), "").unwrap();
        }
        assert_eq!(stage.spools.read(), [report(1, 30)]);
    }
}
