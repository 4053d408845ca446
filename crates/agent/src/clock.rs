//! The clocks: the one place that reads them.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::core::moment::{BootId, Moment};

/// Tells the time. A trait because tests pass their own.
pub trait Clock: Send + Sync {
    /// The moment that it is.
    fn now(&self) -> Moment;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    boot: BootId,
}

/// What sshd holds an end of a key against: the time, and what the host's wall clocks show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// Seconds since the Unix epoch.
    pub utc_s: i64,
    /// The same by the host's time zone, as if that were UTC.
    pub local_s: i64,
}

/// The kernel did not say which boot this is.
#[derive(Debug, thiserror::Error)]
#[error("can't read the boot id from \"{BOOT_ID_PATH}\"")]
pub struct BootIdError;

impl SystemClock {
    /// Reads which boot this is.
    ///
    /// # Errors
    /// When the kernel does not say. Without it no age could be told from another boot's.
    pub fn new() -> Result<Self, BootIdError> {
        let text = std::fs::read_to_string(BOOT_ID_PATH).map_err(|_| BootIdError)?;
        BootId::parse(&text)
            .map(|boot| Self { boot })
            .ok_or(BootIdError)
    }
}

impl Calendar {
    /// Reads the clock and the time zone.
    #[must_use]
    pub fn now() -> Self {
        let utc_s = clock_gettime(ClockId::Realtime).tv_sec;
        let offset = jiff::Timestamp::from_second(utc_s)
            .map(|now| jiff::tz::TimeZone::system().to_offset(now).seconds());
        Self {
            utc_s,
            local_s: utc_s.saturating_add(offset.map_or(0, i64::from)),
        }
    }

    /// Days since the Unix epoch, by which shadow(5) counts.
    #[must_use]
    pub const fn today(self) -> i64 {
        self.utc_s.div_euclid(DAY_S)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let boot = clock_gettime(ClockId::Boottime);
        let wall = clock_gettime(ClockId::Realtime);
        Moment {
            boot: self.boot,
            since_boot: since_boot(boot),
            wall_ms: wall_ms(wall),
        }
    }
}

fn since_boot(time: Timespec) -> Duration {
    // The kernel's boot clock is never negative and its nanoseconds are below a thousand million.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}

fn wall_ms(time: Timespec) -> i64 {
    time.tv_sec
        .saturating_mul(1000)
        .saturating_add(time.tv_nsec / 1_000_000)
}

const DAY_S: i64 = 24 * 60 * 60;
const BOOT_ID_PATH: &str = "/proc/sys/kernel/random/boot_id";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_never_runs_backwards_and_the_boot_stays_the_same() {
        let clock = SystemClock::new().unwrap();
        let (first, second) = (clock.now(), clock.now());
        assert!(second.since_boot >= first.since_boot);
        assert_eq!(first.boot, SystemClock::new().unwrap().now().boot);
    }

    #[test]
    fn the_calendar_shows_the_time_of_a_zone_that_there_is() {
        let now = Calendar::now();
        assert!((now.local_s - now.utc_s).abs() <= 26 * 60 * 60);
        assert_eq!(now.today(), now.utc_s / 86_400);
    }
}
