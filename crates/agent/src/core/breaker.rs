//! The breaker: after a failed revalidation, logins stop waiting for the key server.
//!
//! sshd multiplies the time that a key command takes, and asks it several times per connection. So the first login after an
//! outage began waits, up to a second, and the ones after it don't; meanwhile the poller tries again with growing, jittered
//! pauses.

use std::time::Duration;

/// Whether the key server may be asked on a login's behalf.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Ask.
    Ask,
    /// Answer from what is held: it failed a moment ago.
    DontAsk,
}

/// The breaker's state. Times are those of the boot clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    open_until: Duration,
}

impl Breaker {
    /// One that was open when the last process ended.
    #[must_use]
    pub fn restored(failures: u32, open_until: Duration) -> Self {
        Self {
            failures,
            open_until,
        }
    }

    /// Whether to ask now.
    pub fn permit(&self, now: Duration) -> Permit {
        // A restored state could lie further ahead than any pause is long; then it is not believed.
        let open = now < self.open_until && self.open_until - now <= MAX_PAUSE;
        if self.failures > 0 && open {
            Permit::DontAsk
        } else {
            Permit::Ask
        }
    }

    /// The key server failed to decide. `jitter` is random, all of its range used; returns the pause until the next try.
    pub fn failed(&mut self, now: Duration, jitter: u16) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let doublings = (self.failures - 1).min(MAX_DOUBLINGS);
        let full = FIRST_PAUSE.saturating_mul(1 << doublings).min(MAX_PAUSE);
        // Between half and all of it, so that the hosts of one outage don't come back in step.
        let pause = full / 2 + full.mul_f64(f64::from(jitter) / f64::from(u16::MAX)) / 2;
        self.open_until = now.saturating_add(pause);
        pause
    }

    /// A question that the key server held broke off: it is about to restart, perhaps, and so are the questions of all hosts.
    /// They come back over some seconds; a login may ask before. Only the first time: whoever is not there then has failed.
    pub fn lost(&mut self, now: Duration, jitter: u16) -> Duration {
        if self.failures > 0 {
            return self.failed(now, jitter);
        }
        self.failures = 1;
        RECONNECT_SPREAD.mul_f64(f64::from(jitter) / f64::from(u16::MAX))
    }

    /// The key server decided.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Until when it is open, on the boot clock.
    #[must_use]
    pub fn open_until(&self) -> Duration {
        self.open_until
    }
}

/// The pause after the first failure, at most.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// Over how long hosts come back whose questions broke off. What they hold is fresh for longer.
const RECONNECT_SPREAD: Duration = Duration::from_secs(5);

/// The longest pause.
pub const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Doublings that lead from the first pause to beyond the longest.
const MAX_DOUBLINGS: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    #[test]
    fn a_new_breaker_lets_ask() {
        assert_eq!(Breaker::default().permit(NOW), Permit::Ask);
    }

    #[test]
    fn after_a_failure_nobody_asks_until_the_pause_is_over() {
        let mut breaker = Breaker::default();
        let pause = breaker.failed(NOW, u16::MAX);
        assert_eq!(pause, FIRST_PAUSE);
        assert_eq!(breaker.permit(NOW), Permit::DontAsk);
        assert_eq!(
            breaker.permit(NOW + pause - Duration::from_millis(1)),
            Permit::DontAsk
        );
        assert_eq!(breaker.permit(NOW + pause), Permit::Ask);
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_jitter_takes_at_most_half() {
        let (mut low, mut high) = (Breaker::default(), Breaker::default());
        let expected = [2, 4, 8, 16, 30, 30, 30];
        for seconds in expected {
            let full = Duration::from_secs(seconds);
            assert_eq!(high.failed(NOW, u16::MAX), full);
            assert_eq!(low.failed(NOW, 0), full / 2);
        }
    }

    #[test]
    fn after_a_held_question_breaks_off_hosts_come_back_over_some_seconds_and_logins_ask_at_once() {
        for (jitter, expected) in [(0, Duration::ZERO), (u16::MAX, RECONNECT_SPREAD)] {
            let mut breaker = Breaker::default();
            assert_eq!(breaker.lost(NOW, jitter), expected);
            assert_eq!(breaker.permit(NOW), Permit::Ask);
            let pause = breaker.lost(NOW, u16::MAX);
            assert_eq!(pause, FIRST_PAUSE * 2, "the second time it has failed");
            assert_eq!(breaker.permit(NOW), Permit::DontAsk);
        }
    }

    #[test]
    fn a_success_closes_it_and_forgets_the_failures() {
        let mut breaker = Breaker::default();
        let _ = breaker.failed(NOW, 0);
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
        assert_eq!(breaker.permit(NOW), Permit::Ask);
    }

    #[test]
    fn a_restored_state_from_beyond_the_longest_pause_is_not_believed() {
        let absurd = Breaker::restored(1, NOW + MAX_PAUSE + Duration::from_secs(1));
        assert_eq!(absurd.permit(NOW), Permit::Ask);
        assert_eq!(
            Breaker::restored(1, NOW + MAX_PAUSE).permit(NOW),
            Permit::DontAsk
        );
    }

    #[test]
    fn failures_without_end_do_not_overflow() {
        let mut breaker = Breaker::restored(u32::MAX, NOW);
        assert_eq!(breaker.failed(Duration::MAX, u16::MAX), MAX_PAUSE);
    }
}
