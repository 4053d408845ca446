//! When to tell again, and over which connection.
//!
//! The key server is to know of a use within ten seconds of being reachable ([`BOUND`]), however long it was not. So pauses stop
//! growing at a few seconds, an attempt that gets no answer is given up after a few, and what failed is tried again over a new
//! connection: the old one may lead nowhere for minutes after the network is back, as long as TCP waits between two of its own attempts.

use std::time::Duration;

/// How telling failed.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// The key server could not be reached, or could not decide.
    Transport,
    /// It said no: that the host tells too much, or is out.
    Refused,
}

/// Over what to tell.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The connection that the poller has open.
    Shared,
    /// A new one.
    Anew,
}

/// The pauses after failures.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    failures: u32,
}

impl Pace {
    /// Over what to tell now.
    pub fn over(&self) -> Over {
        match self.failures {
            0 => Over::Shared,
            _ => Over::Anew,
        }
    }

    /// The pause after a failure, by random bits that spread hosts over time.
    #[must_use]
    pub fn failed(&mut self, how: Failed, jitter: u16) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let whole = match how {
            Failed::Refused => REFUSED_PAUSE,
            Failed::Transport => FIRST_PAUSE
                .saturating_mul(1 << self.failures.saturating_sub(1).min(MAX_DOUBLINGS))
                .min(LAST_PAUSE),
        };
        whole.mul_f64(0.5 + 0.5 * f64::from(jitter) / f64::from(u16::MAX))
    }

    /// There is nothing to wait for.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

/// The pause after the first failure …
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// … and the longest.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// The pause after a no. The key server counts reports by the minute.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

const MAX_DOUBLINGS: u32 = 8;

/// How often the spools are looked at.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What a request may take.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(4);

/// How long the key server may be within reach and not know of a use, but for what an answered request takes.
pub(super) const BOUND: Duration = Duration::from_secs(10);

/// An attempt that began while the key server was out of reach, and the pause after it.
const _: () = assert!(SEND_TIMEOUT.as_millis() + LAST_PAUSE.as_millis() < BOUND.as_millis());
const _: () = assert!(LOOK_INTERVAL.as_millis() < BOUND.as_millis());

#[cfg(test)]
mod tests {
    use super::*;

    /// How long after `reachable` the first attempt begins that is answered, where each one before took this long to fail and
    /// each pause is as long as these random bits make it.
    fn told_after(reachable: Duration, failing: Duration, jitter: u16) -> Duration {
        let mut pace = Pace::default();
        let mut now = Duration::ZERO;
        while now < reachable {
            now += failing + pace.failed(Failed::Transport, jitter);
        }
        now - reachable
    }

    #[test]
    fn a_use_is_told_within_ten_seconds_of_reach_however_long_that_was_missing() {
        let mut longest = Duration::ZERO;
        for outage_ms in (1..60_000)
            .step_by(97)
            .chain((3_600_000..3_610_000).step_by(97))
        {
            for failing_ms in [0, 1, 900, 3_999, 4_000] {
                for jitter in [0, u16::MAX / 3, u16::MAX] {
                    let outage = Duration::from_millis(outage_ms);
                    let failing = Duration::from_millis(failing_ms);
                    longest = longest.max(told_after(outage, failing, jitter));
                }
            }
        }
        assert!(longest <= SEND_TIMEOUT + LAST_PAUSE, "{longest:?}");
        // It is what happens, and not only a bound.
        assert!(longest > Duration::from_secs(8), "{longest:?}");
    }

    #[test]
    fn what_failed_is_told_over_a_new_connection() {
        let mut pace = Pace::default();
        assert_eq!(pace.over(), Over::Shared);
        let _ = pace.failed(Failed::Transport, 0);
        assert_eq!(pace.over(), Over::Anew);
        pace.succeeded();
        assert_eq!(pace.over(), Over::Shared);
    }

    #[test]
    fn pauses_grow_to_five_seconds_and_begin_anew_after_a_success() {
        let mut pace = Pace::default();
        let mut pause = |jitter| pace.failed(Failed::Transport, jitter).as_millis();
        assert_eq!([pause(u16::MAX), pause(u16::MAX)], [1000, 2000]);
        for _ in 0..100 {
            assert!((2000..=5000).contains(&pause(0)));
        }
        assert_eq!(pause(u16::MAX), 5000);
        pace.succeeded();
        assert_eq!(pace.failed(Failed::Transport, 0).as_millis(), 500);
        assert_eq!(pace.failed(Failed::Refused, u16::MAX).as_secs(), 30);
    }
}
