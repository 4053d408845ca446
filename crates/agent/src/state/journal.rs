//! The updates since the snapshot: signed documents, one after the other, in the file `journal`.
//!
//! It grows at its end and is synced before anything in it counts as kept, so that a change of one account does not write a
//! hundred thousand. Each record begins with 32 bytes: magic, length, epoch, the revision that it changes and the one that it
//! makes, big endian. They only lead from one record to the next; what is believed is the signed document behind them.
//!
//! A crash in the middle of a record leaves one that is too short. It is the last one, was never confirmed, and is cut off by
//! the next. Records that are older than the snapshot beside them are left from before it, and passed over.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;

use keyroster_api::snapshot::{MAX_BYTES, Tag};
use keyroster_api::update::MAX_BYTES as MAX_RECORD;
use keyroster_roster::{Epoch, Revision};

use crate::core::accept::Authority;
use crate::core::held::Held;
use crate::core::update::amend;
use crate::state::dir::{Lock, Secrecy, StateDir, StateError};
use crate::state::files::{JOURNAL, SNAPSHOT};
use crate::state::memory::Doubt;

/// A signed update, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The revision that it changes.
    pub from: Revision,
    /// What it makes.
    pub to: Tag,
    /// The signed bytes.
    pub document: Vec<u8>,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Extent {
    /// Bytes of whole records.
    bytes: u64,
    records: usize,
    /// Bytes of those that lead as far as was asked for.
    until: u64,
    /// What the last record makes.
    last: Option<Tag>,
}

/// Appends an update, unless it is there; on success it is on the disk.
///
/// # Errors
/// When it can't be written.
pub fn append(dir: &StateDir, change: &Change, _lock: &Lock) -> Result<(), StateError> {
    let mut file = dir.open_own(JOURNAL)?;
    let from = Tag {
        revision: change.from,
        ..change.to
    };
    let written = extent(&file, Some(from)).and_then(|there| {
        if there.last == Some(change.to) {
            return file.sync_all();
        }
        // What a crash left of a record, or another process made of the same snapshot, would hide what comes after it.
        file.set_len(there.until)?;
        let written = write_at_end(&mut file, change);
        if written.is_err() {
            // What was half written must not fill a disk that is full already.
            let _ = file.set_len(there.until);
        }
        written
    });
    written.map_err(|err| dir.failed("write", JOURNAL, err))?;
    dir.sync()
}

fn write_at_end(file: &mut File, change: &Change) -> io::Result<()> {
    let length = u32::try_from(change.document.len()).map_err(io::Error::other)?;
    let mut record = Vec::with_capacity(HEADER + change.document.len());
    record.extend_from_slice(&MAGIC.to_be_bytes());
    record.extend_from_slice(&length.to_be_bytes());
    let revisions = [change.from, change.to.revision].map(Revision::get);
    for number in [change.to.epoch.get()].into_iter().chain(revisions) {
        record.extend_from_slice(&number.to_be_bytes());
    }
    record.extend_from_slice(&change.document);
    file.seek(SeekFrom::End(0))?;
    file.write_all(&record)?;
    file.sync_all()
}

/// What the journal makes of the snapshot beside it. It is followed as far as it can be believed; why no further is told in
/// `doubts`. Whoever calls this judges whether that is far enough.
#[must_use]
pub fn replay(
    dir: &StateDir,
    authority: &Authority,
    held: Held,
    time_s: i64,
    doubts: &mut Vec<Doubt>,
) -> Held {
    let bytes = match dir.read(JOURNAL, MAX_JOURNAL, Secrecy::Public) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(err) => {
            doubts.push(err.into());
            return held;
        }
    };
    let mut held = held;
    for (header, document) in records(&bytes) {
        if header.to <= held.tag() {
            continue;
        }
        match amend(document, authority, &held, header.to, time_s) {
            Ok(after) => held = after,
            Err(refusal) => {
                doubts.push(Doubt::Journal(refusal));
                break;
            }
        }
    }
    held
}

/// Whether the journal has grown so much that the next change should come as a whole snapshot, which ends it. Only the key
/// server can sign one.
#[must_use]
pub fn is_full(dir: &StateDir) -> bool {
    let there = match dir.open_own_if_any(JOURNAL) {
        Ok(None) => return false,
        Ok(Some(file)) => extent(&file, None),
        // What can't be opened can't be appended to.
        Err(_) => return true,
    };
    let Ok(there) = there else {
        return true;
    };
    let snapshot = dir.length_of(SNAPSHOT).unwrap_or(0);
    there.records >= MAX_RECORDS || there.bytes > ROOM.max(snapshot / SNAPSHOT_FRACTION)
}

/// What stands before a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    length: usize,
    to: Tag,
}

impl Header {
    fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let (head, numbers) = bytes.split_first_chunk::<8>()?;
        let (magic, length) = head.split_first_chunk::<4>()?;
        if *magic != MAGIC.to_be_bytes() {
            return None;
        }
        let length = u32::from_be_bytes(*length.first_chunk()?);
        let (epoch, revisions) = numbers.split_first_chunk::<8>()?;
        let to = Tag {
            epoch: Epoch::new(u64::from_be_bytes(*epoch)).ok()?,
            revision: Revision::new(u64::from_be_bytes(*revisions.last_chunk()?)).ok()?,
        };
        let length = usize::try_from(length).ok()?;
        (length <= MAX_RECORD).then_some(Self { length, to })
    }
}

/// The whole records at the beginning.
fn records(mut bytes: &[u8]) -> impl Iterator<Item = (Header, &[u8])> {
    std::iter::from_fn(move || {
        let (header, rest) = bytes.split_first_chunk()?;
        let header = Header::parse(header)?;
        let (document, rest) = rest.split_at_checked(header.length)?;
        bytes = rest;
        Some((header, document))
    })
}

/// Goes from header to header, and notes those that lead as far as `from`.
fn extent(file: &File, from: Option<Tag>) -> io::Result<Extent> {
    let length = file.metadata()?.len();
    let mut there = Extent::default();
    let mut header = [0; HEADER];
    while there.bytes + (HEADER as u64) <= length {
        file.read_exact_at(&mut header, there.bytes)?;
        let Some(header) = Header::parse(&header) else {
            break;
        };
        let end = there.bytes + (HEADER + header.length) as u64;
        if end > length {
            break;
        }
        let leads_there = there.until == there.bytes && Some(header.to) <= from;
        there = Extent {
            bytes: end,
            records: there.records + 1,
            until: if leads_there { end } else { there.until },
            last: Some(header.to),
        };
    }
    Ok(there)
}

/// "KRJ1".
const MAGIC: u32 = 0x4b52_4a31;
/// Bytes before a document.
const HEADER: usize = 32;
/// The largest journal that is read, in bytes.
const MAX_JOURNAL: usize = MAX_BYTES;
/// Bytes that a journal may always have.
const ROOM: u64 = 64 * 1024;
/// Which part of the snapshot's size it may have, if that is more.
const SNAPSHOT_FRACTION: u64 = 2;
/// Records that it may have: each is verified when the host agent starts, some 100 microseconds.
const MAX_RECORDS: usize = 1024;

#[cfg(test)]
mod tests;
