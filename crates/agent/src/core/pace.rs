//! When the host agent asks next, and how long the key server may hold the question.
//!
//! A question that is held is answered at once when something changes, so that a revocation needs no interval to arrive; and
//! the next question names what is held by then, which tells the key server that this host has it.

use std::time::Duration;

use keyroster_roster::Freshness;

/// What an answer that decided something was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// How long the key server was allowed to hold the question; none when it was not.
    pub wait: Option<Duration>,
    /// How long the answer took.
    pub took: Duration,
    /// Whether it changed what is held.
    pub news: bool,
    /// Whether what is held is on disk.
    pub kept: bool,
}

/// When to ask again.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// At once: the key server holds the question.
    AtOnce,
    /// After the interval.
    AfterInterval,
}

/// How long the key server may hold a question to a host with these rules; none when `longest` is nothing.
///
/// What is held is confirmed as of the moment in which the question was *sent*, so it is two waits old before the answer to
/// the next question is due. It must be fresh until then.
#[must_use]
pub fn wait(longest: Duration, rules: Freshness) -> Option<Duration> {
    let fresh_s = rules.max_staleness_s().saturating_sub(TRAVEL_S) / 2;
    let bound = Duration::from_secs(u64::from(fresh_s.max(MIN_WAIT_S)));
    (!longest.is_zero()).then(|| longest.min(bound))
}

/// When to ask after this answer, where questions may be held.
///
/// A key server that does not hold them, or that is about to end, answers "not modified" sooner than it was asked to: it is
/// asked at intervals. So is every key server while the disk is full: nothing is confirmed that a restart would forget.
pub fn next(answered: Answered) -> Next {
    let held = match answered.wait {
        Some(wait) => answered.took.saturating_add(EARLY) >= wait,
        // A login's question is never held, so nothing is known of this server.
        None => true,
    };
    match answered.kept && (answered.news || held) {
        true => Next::AtOnce,
        false => Next::AfterInterval,
    }
}

/// Seconds of what may be stale that are left for the way there and back, twice.
const TRAVEL_S: u32 = 2;
/// Seconds that a question is held at least: how often a host asks whose answers may hardly be stale at all.
const MIN_WAIT_S: u32 = 1;
/// By how much a clock may measure a wait too short.
const EARLY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use keyroster_roster::FreshnessMode;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(25);

    fn waited(max_staleness_s: u32) -> Option<u64> {
        let rules = Freshness::new(max_staleness_s, 3600, FreshnessMode::Strict).unwrap();
        wait(LONGEST, rules).map(|wait| wait.as_secs())
    }

    fn answered(took_s: u64, news: bool) -> Answered {
        Answered {
            wait: Some(Duration::from_secs(14)),
            took: Duration::from_secs(took_s),
            news,
            kept: true,
        }
    }

    #[test]
    fn what_is_held_stays_fresh_through_two_waits() {
        for max_staleness_s in 4..=3600 {
            let wait = waited(max_staleness_s).unwrap();
            assert!(wait * 2 + u64::from(TRAVEL_S) <= u64::from(max_staleness_s));
        }
        assert_eq!(waited(30), Some(14));
    }

    #[test]
    fn a_wait_is_never_longer_than_the_longest_nor_shorter_than_a_second() {
        assert_eq!(waited(3600), Some(25));
        assert_eq!(waited(1), Some(1));
        assert_eq!(wait(Duration::ZERO, Freshness::default()), None);
    }

    #[test]
    fn news_and_a_wait_that_was_held_are_followed_by_the_next_question() {
        assert_eq!(next(answered(0, true)), Next::AtOnce);
        assert_eq!(next(answered(14, false)), Next::AtOnce);
        let login = Answered {
            wait: None,
            ..answered(0, false)
        };
        assert_eq!(next(login), Next::AtOnce);
    }

    #[test]
    fn a_key_server_that_answers_sooner_than_asked_is_asked_at_intervals() {
        assert_eq!(next(answered(0, false)), Next::AfterInterval);
        assert_eq!(next(answered(13, false)), Next::AfterInterval);
    }

    #[test]
    fn what_is_not_on_disk_is_not_confirmed_at_once() {
        let unkept = Answered {
            kept: false,
            ..answered(14, true)
        };
        assert_eq!(next(unkept), Next::AfterInterval);
    }
}
