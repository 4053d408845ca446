//! Moments by which things must have happened.
//!
//! Three bounds stand inside one another. Each source has its own; all of them together end at [`Deadline::for_answer`],
//! which leaves time to say on the log what was undecided; and the watchdog of `sys` ends the process whatever it does.
//!
//! No source takes all the time there is: [`KEPT`] is left for each one that stands behind it. Otherwise two that hang would be enough
//! for a third never to be asked, and a deadline that an administrator has set would decide who else can log in.

use std::time::{Duration, Instant};

/// The watchdog, in seconds after the start: the process ends, whatever it is doing.
pub(crate) const WATCHDOG_SECONDS: u32 = 2;

/// All sources together, after the start.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_800);

/// The host agent. It may itself spend a second on asking the key server when what it holds is stale.
pub(crate) const AGENT_WITHIN: Duration = Duration::from_millis(1_200);

/// The one-shot fetch, start of its process and TLS included.
pub(crate) const DIRECT_WITHIN: Duration = Duration::from_millis(1_500);

/// Another provider's key command.
pub(crate) const COMMAND_WITHIN: Duration = Duration::from_millis(1_000);

/// What is kept for each source that is still to be asked: many times what a host agent that is fresh needs.
const KEPT: Duration = Duration::from_millis(100);

/// The longest that another provider's key command can be given.
pub(crate) const LONGEST_COMMAND: Duration = ANSWER_WITHIN.saturating_sub(KEPT);

/// A moment by which something must have happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The end of the time for all sources, for a process that began at `start`.
    pub(crate) fn for_answer(start: Instant) -> Self {
        Self(start + ANSWER_WITHIN)
    }

    /// `within` from `now`, but never so late that one of the `behind` sources that are still to be asked would have no time.
    pub(crate) fn for_source(self, now: Instant, within: Duration, behind: u32) -> Self {
        let latest = self.0.checked_sub(KEPT * behind).unwrap_or(self.0);
        Self(latest.min(now + within))
    }

    /// The time left in milliseconds, rounded up for `poll`; `None` when it has passed.
    pub(crate) fn remaining_ms(self) -> Option<i32> {
        let left = self
            .0
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())?;
        i32::try_from(left.as_millis().saturating_add(1)).ok()
    }

    /// Whether the moment has passed.
    pub(crate) fn has_passed(self) -> bool {
        self.remaining_ms().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::SOURCES_MAX;

    /// What a source may be given: the three that are fixed, and the least and the most that can be set.
    const GIVEN: [Duration; 5] = [
        Duration::from_millis(10),
        COMMAND_WITHIN,
        AGENT_WITHIN,
        DIRECT_WITHIN,
        LONGEST_COMMAND,
    ];

    /// When each source of a chain is given up, after the start, if none of them ever answers.
    fn given_up(chain: &[Duration]) -> Vec<Duration> {
        let start = Instant::now();
        let mut now = start;
        let behind = (0..u32::try_from(chain.len()).unwrap()).rev();
        let ends = chain.iter().zip(behind).map(|(within, behind)| {
            now = Deadline::for_answer(start)
                .for_source(now, *within, behind)
                .0;
            now - start
        });
        ends.collect()
    }

    /// The chain with this number, of all chains of this length.
    fn chain(length: usize, mut number: usize) -> Vec<Duration> {
        let mut chain = Vec::new();
        for _ in 0..length {
            chain.push(GIVEN[number % GIVEN.len()]);
            number /= GIVEN.len();
        }
        chain
    }

    #[test]
    fn whatever_sources_may_take_together_they_are_done_before_the_watchdog() {
        let watchdog = Duration::from_secs(WATCHDOG_SECONDS.into());
        // `poll` counts whole milliseconds and rounds up, once for each source.
        let rounding = Duration::from_millis(SOURCES_MAX as u64);
        for length in 1..=SOURCES_MAX {
            for number in 0..GIVEN.len().pow(length as u32) {
                let chain = chain(length, number);
                let end = *given_up(&chain).last().unwrap();
                assert!(end <= ANSWER_WITHIN, "{chain:?}");
                assert!(end + rounding + KEPT <= watchdog, "{chain:?}");
            }
        }
    }

    #[test]
    fn no_source_can_take_the_time_of_one_behind_it() {
        for length in 1..=6 {
            for number in 0..GIVEN.len().pow(length as u32) {
                let chain = chain(length, number);
                let mut before = Duration::ZERO;
                for (end, within) in given_up(&chain).into_iter().zip(&chain) {
                    assert!(end - before >= KEPT.min(*within), "{chain:?}");
                    before = end;
                }
            }
        }
    }

    #[test]
    fn the_longest_deadline_is_kept_in_front_of_one_more_source() {
        assert_eq!(
            given_up(&[LONGEST_COMMAND, AGENT_WITHIN]),
            [LONGEST_COMMAND, ANSWER_WITHIN]
        );
        assert_eq!(given_up(&[LONGEST_COMMAND]), [LONGEST_COMMAND]);
    }
}
