//! When to tell again.

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

/// The pauses after failures.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    failures: u32,
}

impl Pace {
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

#[cfg(test)]
mod tests {
    use super::*;

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
