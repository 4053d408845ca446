//! When this server made the writes that somebody waits for, to the millisecond.
//!
//! The roster keeps whole seconds. Whoever waits for a receipt in several questions, to see how it grows, is told how quick the
//! hosts were all the same, for each of these questions counts from the write and not from itself.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyroster_api::snapshot::Tag;
use keyroster_roster::Timestamp;
use tokio::time::Instant;

/// The newest of these writes.
#[derive(Debug, Default)]
pub struct RecentWrites(Mutex<VecDeque<(Tag, Instant)>>);

impl RecentWrites {
    /// Takes note of a write; the oldest is forgotten for one too many.
    pub fn note(&self, written: Tag, at: Instant) {
        let mut writes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if writes.len() >= MAX_RECENT_WRITES {
            writes.pop_front();
        }
        writes.push_back((written, at));
    }

    /// When a write was made: at this moment by the clock, and to the millisecond if it is one of them.
    #[must_use]
    pub fn since(&self, written: Tag, at: Timestamp) -> Since {
        let writes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = writes.iter().filter(|(tag, _)| *tag == written);
        let here = found.next().map(|(_, at)| *at);
        Since { here, at }
    }
}

/// When a write was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// By this server, to the millisecond; `None` if another one made it, or long ago.
    here: Option<Instant>,
    /// By the clock of the server that made it.
    at: Timestamp,
}

/// How it was heard that a host holds a write.
#[derive(Debug, Clone, Copy)]
pub enum Heard {
    /// This server heard it then, unless the host has said something newer since.
    Here(Instant),
    /// Another one did, and it was seen here then.
    Meanwhile(Instant),
    /// Another one did, before anybody here asked.
    Before,
}

impl Since {
    /// How long after the write it was heard, which the clock of whoever heard it first has `recorded`.
    #[must_use]
    pub fn until(self, recorded: Timestamp, heard: Heard) -> Duration {
        let seconds = recorded.seconds_since(self.at);
        let by_clocks = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let here = |heard: Instant| self.here.map(|at| heard.saturating_duration_since(at));
        let here = match heard {
            // The moment of something newer is of no use.
            Heard::Here(at) => here(at).filter(|here| *here <= by_clocks + CLOCK_GRAIN),
            Heard::Meanwhile(at) => here(at),
            Heard::Before => None,
        };
        here.unwrap_or(by_clocks)
    }
}

/// Writes that are remembered; of one that is not, whole seconds are told.
const MAX_RECENT_WRITES: usize = 256;
/// The clock tells moments in units of this.
const CLOCK_GRAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use keyroster_roster::{Epoch, Revision};

    use super::*;

    fn tag(revision: usize) -> Tag {
        Tag {
            epoch: Epoch::FIRST,
            revision: Revision::new(u64::try_from(revision).unwrap()).unwrap(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_writes_are_known_and_no_more_of_them() {
        let (writes, begun) = (RecentWrites::default(), Instant::now());
        for revision in 1..=MAX_RECENT_WRITES + 1 {
            writes.note(tag(revision), begun);
        }
        let here = |revision| writes.since(tag(revision), Timestamp::from_unix(0)).here;
        assert_eq!(here(1), None);
        assert_eq!(here(2), Some(begun));
        assert_eq!(here(MAX_RECENT_WRITES + 2), None);
    }

    #[tokio::test(start_paused = true)]
    async fn how_long_it_took_is_told_to_the_millisecond_where_that_is_known() {
        let at = Timestamp::from_unix(100);
        let made = Instant::now();
        let after = |millis| made + Duration::from_millis(millis);
        let here = Since {
            here: Some(made),
            at,
        };
        let elsewhere = Since { here: None, at };
        for (since, recorded, heard, millis) in [
            (here, 101, Heard::Here(after(1700)), 1700),
            // The host has long said something newer.
            (here, 101, Heard::Here(after(60_000)), 1000),
            (here, 90, Heard::Meanwhile(after(1700)), 1700),
            (here, 103, Heard::Before, 3000),
            (elsewhere, 103, Heard::Here(after(1700)), 3000),
            (elsewhere, 90, Heard::Before, 0),
        ] {
            let took = since.until(Timestamp::from_unix(recorded), heard);
            assert_eq!(took.as_millis(), millis, "{since:?} {recorded} {heard:?}");
        }
    }
}
