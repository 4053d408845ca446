//! The way back: what was there before, byte for byte.
//!
//! The drop-in comes first and sshd second. A file that somebody edited meanwhile is kept aside and not thrown away; a
//! configuration that sshd would refuse is never loaded, since an sshd that reads such a one ends.

use std::path::PathBuf;

use keyroster_sshd::check::Verdict;
use keyroster_sshd::service::{self, Presence, Reloaded};
use keyroster_sshd::{Binary, Sshd};

use crate::core::moment::Moment;
use crate::enable::error::EnableError;
use crate::enable::file::{Content, Place};
use crate::enable::record::{Outcome, Pending, Records, Subject};

/// What became of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum PutBack {
    /// It was as before already.
    Already,
    /// What was before is there again.
    Done,
    /// The same, and what somebody had made of it is here.
    KeptAside(PathBuf),
}

/// Puts back what was there before.
///
/// # Errors
/// When it can't be read or written; then it is as it was.
pub fn put_back(
    place: &Place,
    records: Option<&Records>,
    change: (&[u8], &Content),
    now: &Moment,
) -> Result<PutBack, EnableError> {
    let (written, before) = change;
    let found = place.read()?;
    if found == *before {
        return Ok(PutBack::Already);
    }
    let kept = match (found.bytes(), records) {
        (Some(bytes), Some(records)) if bytes != written => Some(records.keep_aside(bytes, now)?),
        (Some(bytes), None) if bytes != written => {
            let why = "it was edited, and there is nowhere to keep it";
            return Err(EnableError::untrusted(place.path(), why));
        }
        _ => None,
    };
    place.put(before)?;
    Ok(kept.map_or(PutBack::Done, PutBack::KeptAside))
}

/// Has sshd read its configuration again, if it would accept it. Where none runs, nobody is to be told.
///
/// # Errors
/// When it would not, or can't be told.
pub fn reload(sshd: &Sshd) -> Result<Vec<Reloaded>, EnableError> {
    let verdict = sshd.check()?;
    match (verdict, service::presence(sshd.config())?) {
        (Verdict::Sound, _) => Ok(service::reload(sshd.config())?),
        (Verdict::Broken(_), Presence::Nobody) => Ok(vec![Reloaded::NotRunning]),
        (Verdict::Broken(said), Presence::Running) => Err(EnableError::Broken(said)),
    }
}

/// The sshd that a record is about.
///
/// # Errors
/// When it can't be run.
pub fn sshd_of(subject: &Subject) -> Result<Sshd, EnableError> {
    let listeners = service::Listener::of(&subject.config)?;
    let overrides = listeners.first().map(service::Listener::overrides);
    let binary = Binary::at(&subject.sshd)?;
    Ok(Sshd::new(binary, &subject.config).with_overrides(overrides.unwrap_or_default()))
}

/// Takes back a change that waits: the file, sshd, the records, in this order, so that whoever is interrupted can begin again.
///
/// # Errors
/// When one of them fails; the change still waits then, to be tried again.
pub fn take_back(
    records: &Records,
    pending: &Pending,
    why: &str,
    now: &Moment,
) -> Result<PutBack, EnableError> {
    let place = Place::open(&pending.subject.drop_in())?;
    let change = (pending.written.0.as_slice(), &pending.before);
    let put = put_back(&place, Some(records), change, now)?;
    let _reloaded = reload(&sshd_of(&pending.subject)?)?;
    // A disk that is full must not have all this repeated. What `enabled` says of the change that is gone does no harm: what was
    // there before the first one stands in it all the same.
    let enabled = match &pending.previous {
        Some(previous) => records.set_enabled(previous),
        None => records.forget_enabled(&pending.subject.config),
    };
    if let Err(err) = enabled {
        tracing::warn!(%err, "the record of what is enabled is that of the change that was taken back");
    }
    records.tell_outcome(&Outcome::TakenBack(why.to_owned()));
    records.set_pending(None)?;
    tracing::warn!(drop_in = %place.path().display(), why, "sshd's configuration is as before `enable`");
    if let PutBack::KeptAside(kept) = &put {
        tracing::warn!(kept = %kept.display(), "the drop-in had been edited");
    }
    Ok(put)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use keyroster_sshd::would_be::DropIn;

    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    struct Case {
        dir: tempfile::TempDir,
        place: Place,
        records: Records,
    }

    fn case() -> Case {
        let dir = tempfile::tempdir().unwrap();
        let drop_in = DropIn::beside(&dir.path().join("sshd_config"), "10-keyroster.conf");
        std::fs::create_dir(&drop_in.directory).unwrap();
        std::fs::set_permissions(&drop_in.directory, PermissionsExt::from_mode(0o755)).unwrap();
        Case {
            place: Place::open(&drop_in).unwrap(),
            records: Records::create(&dir.path().join("state")).unwrap(),
            dir,
        }
    }

    fn back(case: &Case, before: &Content) -> PutBack {
        let now = SystemClock::new().unwrap().now();
        put_back(&case.place, Some(&case.records), (b"ours", before), &now).unwrap()
    }

    #[test]
    fn what_was_written_gives_way_to_what_was_before() {
        let case = case();
        for before in [Content::Absent, Content::drop_in(b"old")] {
            case.place.put(&Content::drop_in(b"ours")).unwrap();
            assert_eq!(back(&case, &before), PutBack::Done);
            assert_eq!(case.place.read().unwrap(), before);
            assert_eq!(back(&case, &before), PutBack::Already);
        }
        assert!(case.dir.path().exists());
    }

    #[test]
    fn what_somebody_edited_is_kept_aside() {
        let case = case();
        case.place.put(&Content::drop_in(b"ours, edited")).unwrap();
        let PutBack::KeptAside(kept) = back(&case, &Content::Absent) else {
            panic!("it was thrown away");
        };
        assert_eq!(std::fs::read(kept).unwrap(), b"ours, edited");
        assert_eq!(case.place.read().unwrap(), Content::Absent);
    }

    #[test]
    fn what_somebody_removed_comes_back_if_it_was_there_before() {
        let case = case();
        let before = Content::drop_in(b"old");
        assert_eq!(back(&case, &before), PutBack::Done);
        assert_eq!(case.place.read().unwrap(), before);
    }
}
