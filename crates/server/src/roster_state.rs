//! The revision of the roster, known in memory.
//!
//! A host that asks whether anything changed must be answered without asking the database, and must never be answered by
//! a number that is out of date without anybody knowing. So the number is kept together with the moment at which the
//! database last vouched for it: our own writes read it again before their answer goes out, and a task asks for those of
//! other servers. When the database stops answering, the number grows old, and snapshots are refused.

use std::time::Duration;

use keyroster_api::snapshot::Tag;
use tokio::sync::watch;
use tokio::time::Instant;

/// The epoch and revision of the roster, as last seen in the database.
#[derive(Debug)]
pub struct RosterState(watch::Sender<Seen>);

#[derive(Debug, Clone, Copy)]
struct Seen {
    tag: Tag,
    /// When the database was asked; it vouches for all that was committed before. `None` while that is in doubt.
    asked: Option<Instant>,
    /// How often it was in doubt: a question asked before the last time settles nothing.
    doubts: u64,
}

/// A question to the database that is under way.
#[must_use]
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    before: Tag,
    at: Instant,
    doubts: u64,
}

impl RosterState {
    /// Starts with what the database said at start.
    #[must_use]
    pub fn new(tag: Tag) -> Self {
        Self(watch::Sender::new(Seen {
            tag,
            asked: Some(Instant::now()),
            doubts: 0,
        }))
    }

    /// The newest state seen, if the database was asked within `max_age`.
    #[must_use]
    pub fn recent(&self, max_age: Duration) -> Option<Tag> {
        let seen = *self.0.borrow();
        seen.asked
            .is_some_and(|asked| asked.elapsed() <= max_age)
            .then_some(seen.tag)
    }

    /// The newest state seen, however old.
    #[must_use]
    pub fn last(&self) -> Tag {
        self.0.borrow().tag
    }

    /// How long ago the database was last asked with success; for ever while that is in doubt.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.0
            .borrow()
            .asked
            .map_or(Duration::MAX, |asked| asked.elapsed())
    }

    /// Tells when the state changes.
    pub fn subscribe(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut receiver = self.0.subscribe();
        async move { drop(receiver.changed().await) }
    }

    /// Forgets when the database was asked: what is known may be out of date, so that it does not count until it is asked
    /// again.
    pub fn doubt(&self) {
        self.0.send_if_modified(|seen| {
            seen.asked = None;
            seen.doubts += 1;
            false
        });
    }

    /// Notes that the database is about to be asked.
    pub fn ask(&self) -> Asked {
        let seen = *self.0.borrow();
        Asked {
            before: seen.tag,
            at: Instant::now(),
            doubts: seen.doubts,
        }
    }

    /// Takes the database's answer.
    ///
    /// Answers may overtake each other, so a lower one than is known does not count, unless it is lower than what was known
    /// before the question: then the database itself went back, as after a restore.
    pub fn answered(&self, asked: Asked, tag: Tag) {
        self.0.send_if_modified(|seen| {
            let went_back = tag < asked.before && seen.tag == asked.before;
            if asked.doubts == seen.doubts {
                seen.asked = seen.asked.max(Some(asked.at));
            }
            let changed = tag > seen.tag || went_back;
            if changed {
                seen.tag = tag;
            }
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use keyroster_roster::{Epoch, Revision};

    use super::*;

    fn tag(epoch: u64, revision: u64) -> Tag {
        Tag {
            epoch: Epoch::new(epoch).unwrap(),
            revision: Revision::new(revision).unwrap(),
        }
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn an_answer_that_was_overtaken_does_not_undo_a_newer_one() {
        let state = RosterState::new(tag(1, 5));
        let slow = state.ask();
        let quick = state.ask();
        state.answered(quick, tag(1, 7));
        state.answered(slow, tag(1, 6));
        assert_eq!(state.recent(LONG), Some(tag(1, 7)));
    }

    #[tokio::test]
    async fn a_database_that_went_back_is_followed() {
        let state = RosterState::new(tag(1, 5));
        let asked = state.ask();
        state.answered(asked, tag(1, 3));
        assert_eq!(state.recent(LONG), Some(tag(1, 3)));
        let asked = state.ask();
        state.answered(asked, tag(2, 1));
        assert_eq!(state.recent(LONG), Some(tag(2, 1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_state_that_nobody_confirmed_lately_is_no_state() {
        let state = RosterState::new(tag(1, 5));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(state.recent(Duration::from_secs(2)), None);
        let asked = state.ask();
        tokio::time::advance(Duration::from_secs(1)).await;
        state.answered(asked, tag(1, 5));
        assert_eq!(
            state.age(),
            Duration::from_secs(1),
            "the age counts from the question, not from the answer"
        );
        assert_eq!(state.recent(Duration::from_secs(2)), Some(tag(1, 5)));
    }

    #[tokio::test]
    async fn a_state_in_doubt_is_no_state_until_the_database_is_asked_again() {
        let state = RosterState::new(tag(1, 5));
        let before = state.ask();
        state.doubt();
        assert_eq!(state.recent(LONG), None);
        state.answered(before, tag(1, 5));
        assert_eq!(
            state.recent(LONG),
            None,
            "a question from before may have missed what raised the doubt"
        );
        let after = state.ask();
        state.answered(after, tag(1, 6));
        assert_eq!(state.recent(LONG), Some(tag(1, 6)));
    }

    #[tokio::test]
    async fn whoever_waits_for_a_change_is_woken_by_one_and_by_nothing_else() {
        let state = RosterState::new(tag(1, 5));
        let mut woken = std::pin::pin!(state.subscribe());
        let asked = state.ask();
        state.answered(asked, tag(1, 5));
        assert!(futures_util::poll!(woken.as_mut()).is_pending());
        let asked = state.ask();
        state.answered(asked, tag(1, 6));
        woken.await;
    }
}
