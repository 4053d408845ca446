//! What the files mean together, and in which order they are written: decided without touching the disk.
//!
//! Apart from [`memory`](super::memory), which reads and writes them, so that a crash between any two writings can be tried
//! out on values.

use std::sync::Arc;

use keyroster_api::snapshot::Tag;

use crate::core::held::Held;
use crate::core::knowledge::Knowledge;
use crate::core::moment::Moment;
use crate::state::files::{CONFIRMED, ConfirmedFile, SNAPSHOT};
use crate::state::journal::Change;
use crate::state::memory::Doubt;

/// The small files, each as far as it can be believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SmallFiles {
    /// The highest epoch and revision ever seen.
    pub high_water: Option<Tag>,
    /// The last confirmation.
    pub confirmed: Option<ConfirmedFile>,
}

/// The signed bytes behind what was learnt last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// A whole snapshot.
    Snapshot(Vec<u8>),
    /// An update of what is on the disk.
    Update(Change),
}

/// One writing. It is whole or it has not happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write<'a> {
    /// The signed snapshot.
    Snapshot(&'a [u8]),
    /// No journal: its updates are older than the snapshot.
    NoJournal,
    /// A signed update, at the journal's end.
    Update(&'a Change),
    /// The highest epoch and revision ever seen.
    HighWater(Tag),
    /// Who vouches for the snapshot, or refused the host.
    Confirmed(ConfirmedFile),
}

/// What is known by these files; `snapshot` reads and judges the signed document by the highest tag seen and by the time.
/// Whatever can't be believed is left out and told in the second part.
#[must_use]
pub fn recall(
    files: SmallFiles,
    floor: Tag,
    now: &Moment,
    snapshot: impl FnOnce(Tag, i64) -> Result<Option<Arc<Held>>, Doubt>,
) -> (Knowledge, Vec<Doubt>) {
    let SmallFiles {
        high_water,
        confirmed,
    } = files;
    let mut doubts = Vec::new();
    let mut known = Knowledge::nothing(high_water.unwrap_or(floor).max(floor));
    let time_s = confirmed
        .as_ref()
        .and_then(ConfirmedFile::confirmation)
        .map_or(i64::MIN, |c| c.server_time_s);
    match snapshot(known.seen, time_s.max(now.wall_s())) {
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
            known.confirmed = file.confirmation().map(|c| c.found_at(now));
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

/// What is written to keep what is known, in this order; `document` is what was signed, when that is new, and `there` is what
/// other processes of this host left on the disk.
///
/// Neither a newer state nor the answer to a later question is overwritten, but a refusal is written whatever is there, unless
/// it is of an earlier boot than that. After one that fails only the high water is still written: though a snapshot could not
/// be kept, it was seen.
#[must_use]
pub fn writes<'a>(
    known: &Knowledge,
    document: Option<&'a Document>,
    there: &SmallFiles,
) -> Vec<Write<'a>> {
    let mut writes = Vec::new();
    let newest = there.high_water.is_none_or(|seen| seen <= known.seen);
    if newest {
        match document {
            Some(Document::Snapshot(bytes)) => {
                writes.extend([Write::Snapshot(bytes), Write::NoJournal]);
            }
            Some(Document::Update(change)) => writes.push(Write::Update(change)),
            None => {}
        }
        if there.high_water != Some(known.seen) {
            writes.push(Write::HighWater(known.seen));
        }
    }
    if let Some(confirmed) = &known.confirmed {
        let tag = known.held.as_ref().map(|held| held.tag());
        let file = ConfirmedFile::new(confirmed, tag, known.refused);
        let due = match known.refused {
            Some(_) => !there.succeeds(&file),
            None => newest && !there.succeeds(&file) && !there.outdates(&file),
        };
        if due {
            writes.push(Write::Confirmed(file));
        }
    }
    writes
}

impl SmallFiles {
    /// Whether another process of this host left more than what is `known`: a newer state, or a refusal that was asked for later.
    #[must_use]
    pub fn know_more(&self, known: &Knowledge) -> bool {
        let newer = self.high_water.is_some_and(|seen| seen > known.seen);
        let refused = self.confirmed.as_ref().is_some_and(|there| {
            let here = known.confirmed.as_ref();
            let asked_later =
                here.is_none_or(|here| there.overtakes(&ConfirmedFile::new(here, None, None)));
            there.refused.is_some() && asked_later
        });
        newer || refused
    }

    /// Whether `file` is of an earlier boot, and this one has left all that it tells or more.
    fn succeeds(&self, file: &ConfirmedFile) -> bool {
        self.confirmed
            .as_ref()
            .is_some_and(|there| there.succeeds(file))
    }

    /// Whether a later question than that of `file` was answered with a refusal, or with the same snapshot.
    fn outdates(&self, file: &ConfirmedFile) -> bool {
        self.confirmed.as_ref().is_some_and(|there| {
            let same = (there.epoch, there.revision) == (file.epoch, file.revision);
            (same || there.refused.is_some()) && there.overtakes(file)
        })
    }
}

/// What is removed when a writing failed, in this order.
#[must_use]
pub fn removals(known: &Knowledge) -> &'static [&'static str] {
    match known.refused {
        None => &[CONFIRMED],
        Some(_) => &[CONFIRMED, SNAPSHOT],
    }
}
