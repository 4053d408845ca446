//! What is known, from disk and back to it.
//!
//! The order of writing is chosen for a crash between any two steps: first the snapshot, then the high water, then who vouches
//! for it. Whatever is missing then is a confirmation, never a bound. And when the disk takes no more, what is there
//! already must not look good after a restart, so the confirmation is taken away: removing works on a full disk.

use std::sync::Arc;

use keyroster_api::snapshot::{MAX_BYTES, Tag};

use crate::core::accept::{Authority, Refusal, accept};
use crate::core::held::Held;
use crate::core::knowledge::Knowledge;
use crate::core::moment::Moment;
use crate::state::dir::{Lock, Secrecy, StateDir, StateError};
use crate::state::files::{
    self, SNAPSHOT, raise_high_water, read_confirmed, read_high_water, write_confirmed,
};
use crate::state::recall::{SmallFiles, Write, recall, removals, writes};

/// Something on the disk that was not used, and why; for the log.
#[derive(Debug, thiserror::Error)]
pub enum Doubt {
    /// A file can't be believed.
    #[error(transparent)]
    File(#[from] StateError),
    /// The snapshot was refused.
    #[error("the snapshot on disk is refused: {0}")]
    Snapshot(#[from] Refusal),
    /// The high water is gone: somebody removed it, for it was written at enrolment.
    #[error("the high water is missing; nothing is answered until the key server confirms it")]
    NoHighWater,
    /// The confirmation is about another snapshot.
    #[error("what is held was never confirmed; nothing is answered until it is")]
    Unconfirmed,
}

/// Loads what is known. Whatever can't be believed is left out and told in the second part.
#[must_use]
pub fn load(
    dir: &StateDir,
    authority: &Authority,
    floor: Tag,
    now: &Moment,
) -> (Knowledge, Vec<Doubt>) {
    let mut unread = Vec::new();
    let files = SmallFiles {
        high_water: read_high_water(dir).unwrap_or_else(|err| note(&mut unread, err)),
        confirmed: read_confirmed(dir).unwrap_or_else(|err| note(&mut unread, err)),
    };
    let (known, doubts) = recall(files, floor, now, |seen, time_s| {
        load_snapshot(dir, authority, seen, time_s)
    });
    unread.extend(doubts);
    (known, unread)
}

fn note<T>(doubts: &mut Vec<Doubt>, err: StateError) -> Option<T> {
    doubts.push(err.into());
    None
}

fn load_snapshot(
    dir: &StateDir,
    authority: &Authority,
    seen: Tag,
    time_s: i64,
) -> Result<Option<Arc<Held>>, Doubt> {
    match dir.read(SNAPSHOT, MAX_BYTES, Secrecy::Public)? {
        None => Ok(None),
        Some(document) => Ok(Some(Arc::new(accept(&document, authority, seen, time_s)?))),
    }
}

/// Keeps what is known; `document` is the held snapshot's signed bytes when they are new.
///
/// # Errors
/// When something can't be written. What is on the disk is then such that a restart answers nothing unconfirmed.
pub fn save(
    dir: &StateDir,
    known: &Knowledge,
    document: Option<&[u8]>,
    _lock: &Lock,
) -> Result<(), StateError> {
    let mut saved = Ok(());
    for write in writes(known, document, &small_files(dir)) {
        if saved.is_ok() || matches!(write, Write::HighWater(_)) {
            let made = make(dir, &write);
            // The first error is the one to tell.
            saved = saved.and(made);
        }
    }
    if saved.is_err() {
        for name in removals(known) {
            // On a read-only disk this fails as well.
            let _ = dir.remove(name);
        }
    }
    saved
}

/// Whether another process of this host left more on the disk than what is `known`.
#[must_use]
pub fn knows_more(dir: &StateDir, known: &Knowledge) -> bool {
    small_files(dir).know_more(known)
}

fn small_files(dir: &StateDir) -> SmallFiles {
    SmallFiles {
        high_water: read_high_water(dir).ok().flatten(),
        confirmed: read_confirmed(dir).ok().flatten(),
    }
}

fn make(dir: &StateDir, write: &Write<'_>) -> Result<(), StateError> {
    match write {
        Write::Snapshot(document) => dir.write(SNAPSHOT, document),
        Write::HighWater(seen) => raise_high_water(dir, *seen),
        Write::Confirmed(file) => write_confirmed(dir, file),
    }
}

/// Takes the writers' lock, if nobody holds it.
///
/// # Errors
/// When the lock's file can't be made.
pub fn try_lock(dir: &StateDir) -> Result<Option<Lock>, StateError> {
    dir.try_lock(files::WRITERS)
}

#[cfg(test)]
mod tests;
