//! Moments by which things must have happened.
//!
//! Three bounds stand inside one another. Each source has its own; all of them together end at [`Deadline::for_answer`],
//! which leaves time to say on the log what was undecided; and the watchdog of `sys` ends the process whatever it does.

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

/// A moment by which something must have happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The end of the time for all sources, for a process that began at `start`.
    pub(crate) fn for_answer(start: Instant) -> Self {
        Self(start + ANSWER_WITHIN)
    }

    /// `within` from now, but never after `self`.
    pub(crate) fn at_most(self, within: Duration) -> Self {
        Self(self.0.min(Instant::now() + within))
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
