//! The keys whose sessions end, as the host agent tells them.
//!
//! A connection begins with the whole set, which takes effect when it is complete and not before: a host agent that dies in
//! the middle of it changes nothing. What it says afterwards is added. When it goes away, what it said stays: a key does not come
//! back because nobody is there to say that it is gone.

use std::collections::BTreeSet;

use keyroster_keys::Fingerprint;
use keyroster_wire::Notice;
use thiserror::Error;

/// What a connection has said so far.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing.
    #[default]
    New,
    /// A part of the whole set.
    Gathering(BTreeSet<Fingerprint>),
    /// The whole set.
    Complete,
}

/// What to do about a notice.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Heard {
    /// Wait for more.
    Nothing,
    /// These are all.
    All(BTreeSet<Fingerprint>),
    /// These as well.
    More(BTreeSet<Fingerprint>),
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unexpected {
    /// Out of order.
    #[error("a notice came out of order")]
    Order,
    /// More than is kept.
    #[error("more than {KEYS_MAX} keys")]
    TooMany,
}

impl Hearing {
    /// Takes the next notice.
    pub(crate) fn take(&mut self, notice: Notice) -> Result<Heard, Unexpected> {
        match (std::mem::take(&mut self.state), notice) {
            (_, Notice::Begin) => {
                self.state = State::Gathering(BTreeSet::new());
                Ok(Heard::Nothing)
            }
            (State::Gathering(mut keys), Notice::Revoked(more)) => {
                keys.extend(more.into_iter().map(Fingerprint::from_digest));
                if keys.len() > KEYS_MAX {
                    return Err(Unexpected::TooMany);
                }
                self.state = State::Gathering(keys);
                Ok(Heard::Nothing)
            }
            (State::Gathering(keys), Notice::Complete) => {
                self.state = State::Complete;
                Ok(Heard::All(keys))
            }
            (State::Complete, Notice::Revoked(more)) => {
                self.state = State::Complete;
                let more = more.into_iter().map(Fingerprint::from_digest);
                Ok(Heard::More(more.collect()))
            }
            (State::New, Notice::Revoked(_)) | (State::New | State::Complete, Notice::Complete) => {
                Err(Unexpected::Order)
            }
        }
    }
}

/// Most keys that are kept, 32 bytes each.
pub(crate) const KEYS_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(numbers: &[u8]) -> BTreeSet<Fingerprint> {
        numbers
            .iter()
            .map(|number| Fingerprint::from_digest([*number; 32]))
            .collect()
    }

    fn revoked(numbers: &[u8]) -> Notice {
        Notice::Revoked(numbers.iter().map(|number| [*number; 32]).collect())
    }

    #[test]
    fn the_whole_set_counts_when_it_is_complete_and_additions_count_at_once() {
        let mut hearing = Hearing::default();
        for part in [Notice::Begin, revoked(&[1, 2]), revoked(&[3])] {
            assert_eq!(hearing.take(part), Ok(Heard::Nothing));
        }
        assert_eq!(
            hearing.take(Notice::Complete),
            Ok(Heard::All(keys(&[1, 2, 3])))
        );
        assert_eq!(hearing.take(revoked(&[4])), Ok(Heard::More(keys(&[4]))));
        assert_eq!(hearing.take(Notice::Begin), Ok(Heard::Nothing));
        assert_eq!(hearing.take(Notice::Complete), Ok(Heard::All(keys(&[]))));
    }

    #[test]
    fn what_comes_out_of_order_is_refused() {
        assert_eq!(
            Hearing::default().take(revoked(&[1])),
            Err(Unexpected::Order)
        );
        assert_eq!(
            Hearing::default().take(Notice::Complete),
            Err(Unexpected::Order)
        );
        let mut twice = Hearing::default();
        let _ = twice.take(Notice::Begin);
        let _ = twice.take(Notice::Complete);
        assert_eq!(twice.take(Notice::Complete), Err(Unexpected::Order));
    }

    #[test]
    fn more_keys_than_are_kept_are_refused() {
        let mut hearing = Hearing::default();
        let _ = hearing.take(Notice::Begin);
        let numbered = |number: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            digest
        };
        let full = (0..KEYS_MAX).map(numbered).collect();
        assert_eq!(hearing.take(Notice::Revoked(full)), Ok(Heard::Nothing));
        assert_eq!(
            hearing.take(Notice::Revoked(vec![numbered(KEYS_MAX)])),
            Err(Unexpected::TooMany)
        );
    }
}
