//! What is known, from disk and back to it.
//!
//! The order of writing is chosen for a crash between any two steps: first the snapshot, or the update at the journal's end,
//! then the high water, then who vouches for it. Whatever is missing then is a confirmation, never a bound. A journal that a new
//! snapshot made old is removed after it; until then its records are seen to be old. A journal that ends too early leads to
//! less than the high water says, and then nothing of it is used. And when the disk takes no more, what is there
//! already must not look good after a restart, so the confirmation is taken away: removing works on a full disk.

use std::sync::Arc;
use std::time::Duration;

use keyroster_api::snapshot::{MAX_BYTES, Tag};

use crate::core::accept::{Authority, Refusal, believe, not_back};
use crate::core::held::Held;
use crate::core::knowledge::Knowledge;
use crate::core::moment::Moment;
use crate::state::dir::{Lock, Secrecy, StateDir, StateError};
use crate::state::files::{
    self, JOURNAL, SNAPSHOT, raise_high_water, read_confirmed, read_high_water, write_confirmed,
};
use crate::state::journal;
use crate::state::recall::{Document, SmallFiles, Write, recall, removals, writes};

/// Something on the disk that was not used, and why; for the log.
#[derive(Debug, thiserror::Error)]
pub enum Doubt {
    /// A file can't be believed.
    #[error(transparent)]
    File(#[from] StateError),
    /// The snapshot was refused.
    #[error("the snapshot on disk is refused: {0}")]
    Snapshot(#[from] Refusal),
    /// An update was refused, and those after it with it.
    #[error("the journal on disk is refused: {0}")]
    Journal(Refusal),
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
    let mut journal = Vec::new();
    let (known, doubts) = recall(files, floor, now, |seen, time_s| {
        load_held(dir, authority, (seen, time_s), &mut journal)
    });
    unread.extend(journal);
    unread.extend(doubts);
    (known, unread)
}

fn note<T>(doubts: &mut Vec<Doubt>, err: StateError) -> Option<T> {
    doubts.push(err.into());
    None
}

fn load_held(
    dir: &StateDir,
    authority: &Authority,
    (seen, time_s): (Tag, i64),
    doubts: &mut Vec<Doubt>,
) -> Result<Option<Arc<Held>>, Doubt> {
    let Some(document) = dir.read(SNAPSHOT, MAX_BYTES, Secrecy::Public)? else {
        return Ok(None);
    };
    let held = believe(&document, authority, time_s)?;
    drop(document);
    let held = journal::replay(dir, authority, held, time_s, doubts);
    not_back(held.tag(), seen)?;
    Ok(Some(Arc::new(held)))
}

/// Keeps what is known; `document` is what was signed, when that is new.
///
/// # Errors
/// When something can't be written. What is on the disk is then such that a restart answers nothing unconfirmed.
pub fn save(
    dir: &StateDir,
    known: &Knowledge,
    document: Option<&Document>,
    lock: &Lock,
) -> Result<(), StateError> {
    let mut saved = Ok(());
    for write in writes(known, document, &small_files(dir)) {
        if saved.is_ok() || matches!(write, Write::HighWater(_)) {
            let made = make(dir, &write, lock);
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

/// Keeps the age of a confirmation of another boot, so that the next process need not go by the wall clock alone.
///
/// # Errors
/// When it can't be written. Nothing is removed then: nothing was learned.
pub fn save_found(dir: &StateDir, known: &Knowledge, lock: &Lock) -> Result<(), StateError> {
    let found = known
        .confirmed
        .is_some_and(|confirmed| confirmed.found.is_some());
    writes(known, None, &small_files(dir))
        .iter()
        .filter(|write| found && matches!(write, Write::Confirmed(_)))
        .try_for_each(|write| make(dir, write, lock))
}

/// Whether another process of this host left more on the disk than what is `known`.
#[must_use]
pub fn knows_more(dir: &StateDir, known: &Knowledge) -> bool {
    small_files(dir).know_more(known)
}

pub(super) fn small_files(dir: &StateDir) -> SmallFiles {
    SmallFiles {
        high_water: read_high_water(dir).ok().flatten(),
        confirmed: read_confirmed(dir).ok().flatten(),
    }
}

pub(super) fn make(dir: &StateDir, write: &Write<'_>, lock: &Lock) -> Result<(), StateError> {
    match write {
        Write::Snapshot(document) => dir.write(SNAPSHOT, document),
        Write::NoJournal => dir.remove(JOURNAL),
        Write::Update(change) => journal::append(dir, change, lock),
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

/// Takes the writers' lock. Others hold it for a moment; whoever holds it longer is not waited for.
///
/// # Errors
/// When the lock's file can't be made.
pub async fn lock(dir: &StateDir) -> Result<Option<Lock>, StateError> {
    for _ in 0..LOCK_TRIES {
        if let Some(lock) = try_lock(dir)? {
            return Ok(Some(lock));
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    tracing::warn!("another process holds the state directory's lock");
    Ok(None)
}

/// How often the lock is tried …
const LOCK_TRIES: u32 = 20;

/// … and how long it is waited for in between.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests;
