//! One line of the revocation journal: `<hash> <JSON>`.
//!
//! The hash covers the hash of the line before and the JSON's bytes as they stand, so that a line that was altered, removed or
//! moved is found without agreeing on how JSON is written. `docs/restore.md` tells the format.

use keyroster_roster::{AuditEvent, AuditHead, Epoch, EventHash, Revision, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// An event of the audit log.
    Event(Entry),
    /// Every event up to here that belongs into the journal is in it.
    Mark(Place),
}

/// An event of the audit log that is in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub certainty: Certainty,
    /// The epoch of the roster when it was written.
    pub epoch: Epoch,
    pub event: AuditEvent,
}

/// How certain it is that an event became part of the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Certainty {
    /// It was about to be committed.
    Intent,
    /// It was committed.
    Done,
}

/// A place in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The epoch of the roster there.
    pub epoch: Epoch,
    pub head: AuditHead,
}

impl Place {
    /// Before the first event.
    pub const START: Self = Self {
        epoch: Epoch::FIRST,
        head: AuditHead::START,
    };
}

impl Line {
    /// The text of the line that follows the one with this hash, and its hash.
    pub fn write(&self, previous: EventHash) -> Result<(String, EventHash), serde_json::Error> {
        let json = serde_json::to_string(&Body::from(self))?;
        let hash = chained(previous, json.as_bytes());
        Ok((format!("{hash} {json}\n"), hash))
    }

    /// Reads the line that follows the one with this hash, without its line feed.
    pub fn read(text: &[u8], previous: EventHash) -> Option<(Self, EventHash)> {
        let (line, hash) = Self::read_unchained(text)?;
        let json = text.get(HASH_DIGITS + 1..)?;
        (chained(previous, json) == hash).then_some((line, hash))
    }

    /// Reads a line by itself, whatever stood before it.
    pub fn read_unchained(text: &[u8]) -> Option<(Self, EventHash)> {
        let text = std::str::from_utf8(text).ok()?;
        let (hash, json) = text.split_once(' ')?;
        let hash = EventHash::parse(hash).ok()?;
        let body: Body = serde_json::from_str(json).ok()?;
        Some((body.parse()?, hash))
    }
}

fn chained(previous: EventHash, json: &[u8]) -> EventHash {
    let mut hash = Sha256::new_with_prefix(HASHED_PREFIX);
    hash.update(previous.as_bytes());
    hash.update(json);
    EventHash::new(hash.finalize().into())
}

/// The JSON of a line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Body {
    Intent(EventBody),
    Done(EventBody),
    Mark(MarkBody),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventBody {
    epoch: u64,
    sequence: u64,
    revision: u64,
    at: i64,
    actor: String,
    action: String,
    object: String,
    detail: String,
    previous_hash: String,
    hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkBody {
    epoch: u64,
    sequence: u64,
    hash: String,
}

impl From<&Line> for Body {
    fn from(line: &Line) -> Self {
        match line {
            Line::Event(entry) => {
                let body = EventBody::from(entry);
                match entry.certainty {
                    Certainty::Intent => Self::Intent(body),
                    Certainty::Done => Self::Done(body),
                }
            }
            Line::Mark(place) => Self::Mark(MarkBody {
                epoch: place.epoch.get(),
                sequence: place.head.sequence,
                hash: place.head.hash.to_string(),
            }),
        }
    }
}

impl From<&Entry> for EventBody {
    fn from(Entry { epoch, event, .. }: &Entry) -> Self {
        Self {
            epoch: epoch.get(),
            sequence: event.sequence,
            revision: event.revision.get(),
            at: event.at.as_unix(),
            actor: event.actor.clone(),
            action: event.action.clone(),
            object: event.object.clone(),
            detail: event.detail.clone(),
            previous_hash: event.previous_hash.to_string(),
            hash: event.hash.to_string(),
        }
    }
}

impl Body {
    fn parse(self) -> Option<Line> {
        match self {
            Self::Intent(body) => body.parse(Certainty::Intent).map(Line::Event),
            Self::Done(body) => body.parse(Certainty::Done).map(Line::Event),
            Self::Mark(body) => Some(Line::Mark(Place {
                epoch: Epoch::new(body.epoch).ok()?,
                head: AuditHead {
                    sequence: body.sequence,
                    hash: EventHash::parse(&body.hash).ok()?,
                },
            })),
        }
    }
}

impl EventBody {
    fn parse(self, certainty: Certainty) -> Option<Entry> {
        Some(Entry {
            certainty,
            epoch: Epoch::new(self.epoch).ok()?,
            event: AuditEvent {
                sequence: self.sequence,
                revision: Revision::new(self.revision).ok()?,
                at: Timestamp::from_unix(self.at),
                actor: self.actor,
                action: self.action,
                object: self.object,
                detail: self.detail,
                previous_hash: EventHash::parse(&self.previous_hash).ok()?,
                hash: EventHash::parse(&self.hash).ok()?,
            },
        })
    }
}

/// What the hashed bytes of every line begin with, so that they are no other message of ours.
const HASHED_PREFIX: &[u8] = b"keyroster-revocation-journal@v1";

/// Digits of the hash that a line begins with.
const HASH_DIGITS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/restore.md");

    fn line(object: &str) -> Line {
        Line::Event(Entry {
            certainty: Certainty::Intent,
            epoch: Epoch::FIRST,
            event: AuditEvent {
                sequence: 12,
                revision: Revision::new(12).unwrap(),
                at: Timestamp::from_unix(1_795_250_096),
                actor: "admin".into(),
                action: "token.revoke".into(),
                object: object.into(),
                detail: "{}".into(),
                previous_hash: EventHash::ZERO,
                hash: EventHash::new([7; 32]),
            },
        })
    }

    #[test]
    fn a_line_is_read_back_only_where_it_stood() {
        let (text, hash) = line("ci").write(EventHash::ZERO).unwrap();
        let text = text.trim_end().as_bytes();
        assert_eq!(Line::read(text, EventHash::ZERO), Some((line("ci"), hash)));
        assert_eq!(Line::read(text, hash), None);
        assert_eq!(Line::read_unchained(text), Some((line("ci"), hash)));
    }

    #[test]
    fn no_byte_of_a_line_can_change_unseen() {
        let (text, _) = line("ci").write(EventHash::ZERO).unwrap();
        let text = text.trim_end().as_bytes();
        for at in 0..text.len() {
            let mut changed = text.to_vec();
            changed[at] ^= 1;
            assert_eq!(Line::read(&changed, EventHash::ZERO), None, "byte {at}");
            assert_eq!(
                Line::read(&text[..at], EventHash::ZERO),
                None,
                "cut at {at}"
            );
        }
    }

    #[test]
    fn the_example_in_the_docs_is_what_we_write() {
        let (text, _) = line("ci").write(EventHash::ZERO).unwrap();
        assert!(PAGE.contains(text.trim_end()), "{text}");
    }
}
