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
    self, CONFIRMED, ConfirmedFile, SNAPSHOT, raise_high_water, read_confirmed, read_high_water,
    write_confirmed,
};

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
    let mut doubts = Vec::new();
    let high_water = read_high_water(dir).unwrap_or_else(|err| note(&mut doubts, err));
    let confirmed = read_confirmed(dir).unwrap_or_else(|err| note(&mut doubts, err));
    let mut known = Knowledge::nothing(high_water.unwrap_or(floor).max(floor));
    let time_s = confirmed
        .as_ref()
        .and_then(ConfirmedFile::confirmation)
        .map_or(i64::MIN, |c| c.server_time_s);
    match load_snapshot(dir, authority, known.seen, time_s.max(now.wall_s())) {
        Ok(held) => known.held = held,
        Err(doubt) => doubts.push(doubt),
    }
    known.seen = known
        .held
        .as_ref()
        .map_or(known.seen, |held| known.seen.max(held.tag()));
    if let Some(file) = confirmed {
        known.refused = file.refused;
        let about_it = known
            .held
            .as_ref()
            .is_some_and(|held| file.vouches_for(held.tag()));
        if about_it || file.refused.is_some() {
            known.confirmed = file.confirmation();
        }
    }
    if high_water.is_none() {
        // Without a bound the snapshot on disk may be any old one.
        known.confirmed = None;
        doubts.push(Doubt::NoHighWater);
    } else if known.held.is_some() && known.confirmed.is_none() {
        doubts.push(Doubt::Unconfirmed);
    }
    (known, doubts)
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
    let saved = try_save(dir, known, document);
    if saved.is_err() {
        // The first error is the one to tell; on a read-only disk this fails as well.
        let _ = dir.remove(CONFIRMED);
        if known.refused.is_some() {
            let _ = dir.remove(SNAPSHOT);
        }
    }
    saved
}

fn try_save(dir: &StateDir, known: &Knowledge, document: Option<&[u8]>) -> Result<(), StateError> {
    if let Ok(Some(there)) = read_high_water(dir)
        && there > known.seen
    {
        // Another process has seen more; what we know is old news.
        return Ok(());
    }
    let snapshot = document.map_or(Ok(()), |document| dir.write(SNAPSHOT, document));
    // Though the snapshot could not be kept, it was seen.
    raise_high_water(dir, known.seen)?;
    snapshot?;
    match &known.confirmed {
        None => Ok(()),
        Some(confirmed) => {
            let tag = known.held.as_ref().map(|held| held.tag());
            write_confirmed(dir, &ConfirmedFile::new(confirmed, tag, known.refused))
        }
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
