//! A directory of reports: see [`keyroster_wire::Report`].
//!
//! The host agent removes what it has told, so its group can write here. Nothing that lies here is believed or followed: a
//! report is written under a name that nothing had before, and takes its own name by renaming.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, fchown,
};
use std::path::{Path, PathBuf};

use keyroster_wire::{REPORT_MAX, REPORTS_MAX, Report, ReportId};
use rustix::fs::OFlags;

use crate::error::Error;

/// A directory of reports, known to be root's, and closed to all but the host agent's group.
#[derive(Debug)]
pub(crate) struct Spool {
    path: PathBuf,
    gid: u32,
}

impl Spool {
    /// The one in memory, below the directory of sessions; both are made where they are missing.
    pub(crate) fn in_memory(base: &Path, gid: u32) -> Result<Self, Error> {
        match fs::DirBuilder::new().mode(0o755).create(base) {
            Ok(()) => fs::set_permissions(base, fs::Permissions::from_mode(0o755))
                .map_err(|err| Error::io(base, err))?,
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
            Err(err) => return Err(Error::io(base, err)),
        }
        let metadata = fs::symlink_metadata(base).map_err(|err| Error::io(base, err))?;
        if !is_roots(&metadata, WRITABLE_BY_OTHERS) {
            return Err(Error::Untrusted(base.to_owned()));
        }
        Self::open(&base.join(REPORTS), gid)
    }

    /// The one at this path, made where it is missing.
    pub(crate) fn open(path: &Path, gid: u32) -> Result<Self, Error> {
        let failed = |err| Error::io(path, err);
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {
                chown(path, None, Some(gid)).map_err(failed)?;
                fs::set_permissions(path, fs::Permissions::from_mode(DIR_MODE)).map_err(failed)?;
            }
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
            Err(err) => return Err(failed(err)),
        }
        let metadata = fs::symlink_metadata(path).map_err(failed)?;
        let shared = metadata.mode() & FOR_GROUP != 0 && metadata.gid() != gid;
        if shared || !is_roots(&metadata, FOR_OTHERS) {
            return Err(Error::Untrusted(path.to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
            gid,
        })
    }

    /// Puts a report here.
    pub(crate) fn put(&self, report: &Report) -> Result<(), Error> {
        let failed = |err| Error::io(&self.path, err);
        if self.all().map_err(failed)?.len() >= REPORTS_MAX {
            return Err(Error::Full(self.path.clone()));
        }
        let text = report
            .to_text()
            .ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        // Nobody else has this name: two who bring one report to the disk don't meet.
        let temporary = self
            .path
            .join(format!(".{}-{}", report.id, std::process::id()));
        let written = self.write(&temporary, &text).and_then(|()| {
            fs::rename(&temporary, self.path.join(report.id.to_string()))?;
            fs::File::open(&self.path)?.sync_all()
        });
        written.map_err(|err| {
            let _ = fs::remove_file(&temporary);
            failed(err)
        })
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(FILE_MODE)
            .open(path)?;
        fchown(&file, None, Some(self.gid))?;
        file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// The reports that are here.
    pub(crate) fn all(&self) -> io::Result<Vec<ReportId>> {
        let entries = fs::read_dir(&self.path)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries
            .iter()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect())
    }

    /// One of them; none when it is gone.
    pub(crate) fn get(&self, id: ReportId) -> io::Result<Option<Report>> {
        let file = fs::OpenOptions::new()
            .read(true)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
            .open(self.path.join(id.to_string()));
        let file = match file {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = String::new();
        file.take(REPORT_MAX).read_to_string(&mut text)?;
        match Report::parse(&text).filter(|report| report.id == id) {
            Some(report) => Ok(Some(report)),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Removes one, if it is there.
    pub(crate) fn remove(&self, id: ReportId) -> io::Result<()> {
        match fs::remove_file(self.path.join(id.to_string())) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

fn is_roots(metadata: &fs::Metadata, forbidden: u32) -> bool {
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    metadata.is_dir() && ours && metadata.mode() & forbidden == 0
}

const REPORTS: &str = "reports";
const DIR_MODE: u32 = 0o770;
const FILE_MODE: u32 = 0o640;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const FOR_OTHERS: u32 = 0o007;
const FOR_GROUP: u32 = 0o070;

#[cfg(test)]
mod tests {
    use keyroster_wire::ReportKind;

    use super::*;

    const GID: u32 = 4242;

    fn report(number: u8) -> Report {
        Report {
            kind: ReportKind::BreakGlass,
            id: ReportId::from_random([number; 16]),
            account: "deploy".to_owned(),
            key: crate::record::tests::KEY.to_owned(),
            at_s: 1_764_000_000,
        }
    }

    #[test]
    fn a_report_is_there_for_root_and_the_host_agents_group_and_nobody_else() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("spool");
        let spool = Spool::open(&path, GID).unwrap();
        spool.put(&report(1)).unwrap();
        let id = report(1).id;
        for (path, mode) in [(path.clone(), 0o770), (path.join(id.to_string()), 0o640)] {
            let metadata = fs::metadata(path).unwrap();
            assert_eq!((metadata.mode() & 0o7777, metadata.gid()), (mode, GID));
        }
        assert_eq!(spool.get(id).unwrap(), Some(report(1)));
        assert_eq!(spool.all().unwrap(), [id]);
        spool.remove(id).unwrap();
        spool.remove(id).unwrap();
        assert_eq!(
            (spool.get(id).unwrap(), spool.all().unwrap()),
            (None, vec![])
        );
    }

    #[test]
    fn a_directory_that_others_can_enter_or_another_group_shares_is_not_used() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("spool");
        drop(Spool::open(&path, GID).unwrap());
        assert!(matches!(
            Spool::open(&path, GID + 1),
            Err(Error::Untrusted(_))
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o771)).unwrap();
        assert!(matches!(Spool::open(&path, GID), Err(Error::Untrusted(_))));
        let link = base.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(Spool::open(&link, GID), Err(Error::Untrusted(_))));
    }

    #[test]
    fn a_full_directory_keeps_what_it_has() {
        let base = tempfile::tempdir().unwrap();
        let spool = Spool::open(&base.path().join("spool"), GID).unwrap();
        for number in 0..REPORTS_MAX {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            let id = ReportId::from_random(bytes);
            fs::write(spool.path.join(id.to_string()), "").unwrap();
        }
        assert!(matches!(spool.put(&report(1)), Err(Error::Full(_))));
        assert_eq!(spool.all().unwrap().len(), REPORTS_MAX);
    }
}
