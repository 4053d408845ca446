//! How old what is held is, and what its age allows.

use std::time::Duration;

use keyroster_roster::{Freshness, FreshnessMode};

use crate::core::moment::{BootId, Moment};

/// When the key server last vouched for what is held.
///
/// The moment is the one in which the question was *sent*: what changed on the server while the answer travelled is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// The boot in which it was asked.
    pub boot: BootId,
    /// The boot clock then.
    pub since_boot: Duration,
    /// The wall clock then, in milliseconds since the Unix epoch.
    pub wall_ms: i64,
    /// The key server's own time, in seconds since the Unix epoch.
    pub server_time_s: i64,
    /// How old it was at least when a later boot found it, and when that was by this boot's clock.
    pub found: Option<Found>,
}

/// When a boot found the confirmation of an earlier one on the disk.
///
/// From then on the boot clock tells how much older it grows, whatever becomes of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The boot that found it.
    pub boot: BootId,
    /// Its boot clock then.
    pub since_boot: Duration,
    /// The age then, by the wall clock.
    pub age: Duration,
}

/// How long ago the last confirmation was.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// By the boot clock.
    Measured(Duration),
    /// By the wall clock, across a boot. A machine without a battery may wake up with the time at which it was put to sleep, so
    /// this is good enough for grace and never for fresh.
    Reckoned(Duration),
    /// A clock went backwards, or nothing was ever confirmed. Never fresh, and within no grace.
    Unknown,
}

/// What the age allows.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Answer.
    Fresh,
    /// Ask again; answer if that fails.
    WithinGrace,
    /// Ask again; no answer if that fails, since the mode is strict.
    StrictlyStale,
    /// Ask again; no answer if that fails.
    PastGrace,
    /// Ask again; no answer if that fails, since no age can be told.
    AgeUnknown,
}

impl Confirmation {
    /// A confirmation of what was asked at `sent`.
    #[must_use]
    pub fn at(sent: &Moment, server_time_s: i64) -> Self {
        Self {
            boot: sent.boot,
            since_boot: sent.since_boot,
            wall_ms: sent.wall_ms,
            server_time_s,
            found: None,
        }
    }

    /// The same, when a process finds it on the disk `now`: if it is of another boot, with the age that it has already.
    ///
    /// A machine without a battery learns the time only later. Until then all that is known is that the age is not below zero.
    #[must_use]
    pub fn found_at(self, now: &Moment) -> Self {
        let age = match self.age(now) {
            Age::Reckoned(age) => Some(age),
            Age::Unknown if self.boot != now.boot => self.least_age(now),
            Age::Measured(_) | Age::Unknown => None,
        };
        let found = age.map(|age| Found {
            boot: now.boot,
            since_boot: now.since_boot,
            age,
        });
        Self {
            found: found.or(self.found),
            ..self
        }
    }

    /// The least age of one that is of another boot; none when the boot clock went backwards.
    fn least_age(&self, now: &Moment) -> Option<Duration> {
        self.found
            .map_or(Some(Duration::ZERO), |found| found.least_age(now))
    }

    /// Whether it was asked for later than at `sent`. Questions of different boots are not compared.
    #[must_use]
    pub fn overtakes(&self, sent: &Moment) -> bool {
        self.boot == sent.boot && self.since_boot > sent.since_boot
    }

    /// How long ago it was.
    pub fn age(&self, now: &Moment) -> Age {
        if self.boot == now.boot {
            return now
                .since_boot
                .checked_sub(self.since_boot)
                .map_or(Age::Unknown, Age::Measured);
        }
        let elapsed = now
            .wall_ms
            .checked_sub(self.wall_ms)
            .and_then(|ms| u64::try_from(ms).ok());
        match (elapsed, self.least_age(now)) {
            (Some(ms), Some(least)) => Age::Reckoned(Duration::from_millis(ms).max(least)),
            _ => Age::Unknown,
        }
    }

    /// The second at which starts and ends of grants are judged: the wall clock, but never earlier than the key server's own
    /// time, carried on by the boot clock. So a wall clock that is set back revives nothing that had ended.
    #[must_use]
    pub fn judged_at(&self, now: &Moment) -> i64 {
        let elapsed_s = match self.age(now) {
            Age::Measured(age) => i64::try_from(age.as_secs()).unwrap_or(i64::MAX),
            Age::Reckoned(_) | Age::Unknown => 0,
        };
        now.wall_s()
            .max(self.server_time_s.saturating_add(elapsed_s))
    }
}

impl Found {
    /// The least age of what was found; none when the boot clock went backwards.
    fn least_age(&self, now: &Moment) -> Option<Duration> {
        if self.boot != now.boot {
            return Some(self.age);
        }
        let since = now.since_boot.checked_sub(self.since_boot)?;
        Some(self.age.saturating_add(since))
    }
}

impl Age {
    /// The age in milliseconds, if it is known.
    #[must_use]
    pub fn as_ms(self) -> Option<u64> {
        match self {
            Self::Measured(age) | Self::Reckoned(age) => u64::try_from(age.as_millis()).ok(),
            Self::Unknown => None,
        }
    }
}

/// What `age` allows under the rules of the snapshot.
pub fn standing(age: Age, rules: Freshness) -> Standing {
    let elapsed = match age {
        Age::Measured(age) if age <= seconds(rules.max_staleness_s()) => return Standing::Fresh,
        Age::Measured(age) | Age::Reckoned(age) => age,
        Age::Unknown => return Standing::AgeUnknown,
    };
    match rules.mode() {
        FreshnessMode::Strict => Standing::StrictlyStale,
        FreshnessMode::Grace if elapsed <= seconds(rules.grace_s()) => Standing::WithinGrace,
        FreshnessMode::Grace => Standing::PastGrace,
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BOOT, OTHER_BOOT, THIRD_BOOT, moment};

    fn rules(mode: FreshnessMode) -> Freshness {
        Freshness::new(30, 3600, mode).unwrap()
    }

    #[test]
    fn the_table_of_the_architecture_holds_at_every_edge() {
        let measured = |ms| Age::Measured(Duration::from_millis(ms));
        let reckoned = |ms| Age::Reckoned(Duration::from_millis(ms));
        let (grace, strict) = (FreshnessMode::Grace, FreshnessMode::Strict);
        let table = [
            (measured(0), grace, Standing::Fresh),
            (measured(30_000), grace, Standing::Fresh),
            (measured(30_001), grace, Standing::WithinGrace),
            (measured(3_600_000), grace, Standing::WithinGrace),
            (measured(3_600_001), grace, Standing::PastGrace),
            (measured(30_000), strict, Standing::Fresh),
            (measured(30_001), strict, Standing::StrictlyStale),
            (measured(3_600_001), strict, Standing::StrictlyStale),
            (reckoned(0), grace, Standing::WithinGrace),
            (reckoned(3_600_001), grace, Standing::PastGrace),
            (reckoned(0), strict, Standing::StrictlyStale),
            (Age::Unknown, grace, Standing::AgeUnknown),
            (Age::Unknown, strict, Standing::AgeUnknown),
        ];
        for (age, mode, expected) in table {
            assert_eq!(standing(age, rules(mode)), expected, "{age:?} {mode:?}");
        }
    }

    #[test]
    fn within_a_boot_only_the_boot_clock_counts() {
        let confirmed = Confirmation::at(&moment(BOOT, 100, 1_000_000), 1_000_000);
        for wall in [0, 1_000_000, i64::from(u32::MAX)] {
            let now = moment(BOOT, 107, wall);
            assert_eq!(
                confirmed.age(&now),
                Age::Measured(Duration::from_secs(7)),
                "wall {wall}"
            );
        }
    }

    #[test]
    fn across_boots_the_wall_clock_reckons_and_a_step_back_makes_the_age_unknown() {
        let confirmed = Confirmation::at(&moment(BOOT, 100, 1_000_000), 1_000_000);
        let later = moment(OTHER_BOOT, 3, 1_000_060);
        assert_eq!(
            confirmed.age(&later),
            Age::Reckoned(Duration::from_secs(60))
        );
        assert_eq!(confirmed.age(&moment(OTHER_BOOT, 3, 999_999)), Age::Unknown);
        assert_eq!(confirmed.age(&moment(OTHER_BOOT, 3, 0)), Age::Unknown);
    }

    #[test]
    fn what_an_earlier_boot_left_grows_older_by_the_boot_clock_though_the_wall_clock_is_set_back() {
        let confirmed = Confirmation::at(&moment(BOOT, 100, 1_000_000), 1_000_000);
        let found = confirmed.found_at(&moment(OTHER_BOOT, 3, 1_000_060));
        let reckoned = |seconds| Age::Reckoned(Duration::from_secs(seconds));
        assert_eq!(found.age(&moment(OTHER_BOOT, 53, 1_000_110)), reckoned(110));
        assert_eq!(found.age(&moment(OTHER_BOOT, 53, 1_000_001)), reckoned(110));
        assert_eq!(found.age(&moment(OTHER_BOOT, 53, 1_000_500)), reckoned(500));
        assert_eq!(found.age(&moment(OTHER_BOOT, 53, 999_999)), Age::Unknown);
        // Nor does a process forget that begins after the wall clock was set back, or the boot after this one.
        let again = found.found_at(&moment(OTHER_BOOT, 53, 1_000_001));
        assert_eq!(again.age(&moment(OTHER_BOOT, 63, 1_000_001)), reckoned(120));
        assert_eq!(found.age(&moment(THIRD_BOOT, 1, 1_000_001)), reckoned(60));
    }

    #[test]
    fn a_time_that_is_learned_after_the_boot_ends_what_had_no_age() {
        let confirmed = Confirmation::at(&moment(BOOT, 100, 1_000_000), 1_000_000);
        let found = confirmed.found_at(&moment(OTHER_BOOT, 3, 0));
        assert_eq!(found.age(&moment(OTHER_BOOT, 4, 0)), Age::Unknown);
        // It has grown older by then, whatever time is learned.
        assert_eq!(
            found.age(&moment(OTHER_BOOT, 903, 1_000_001)),
            Age::Reckoned(Duration::from_secs(900))
        );
        let told = found.age(&moment(OTHER_BOOT, 5, 1_009_000));
        assert_eq!(told, Age::Reckoned(Duration::from_secs(9000)));
    }

    #[test]
    fn a_boot_clock_that_went_backwards_makes_the_age_unknown() {
        let confirmed = Confirmation::at(&moment(BOOT, 100, 1_000_000), 1_000_000);
        assert_eq!(confirmed.age(&moment(BOOT, 99, 1_000_060)), Age::Unknown);
    }

    #[test]
    fn a_wall_clock_that_is_set_back_does_not_turn_back_what_has_ended() {
        let confirmed = Confirmation::at(&moment(BOOT, 100, 1_000_000), 1_000_000);
        assert_eq!(confirmed.judged_at(&moment(BOOT, 160, 5)), 1_000_060);
        assert_eq!(confirmed.judged_at(&moment(OTHER_BOOT, 1, 5)), 1_000_000);
    }

    #[test]
    fn a_wall_clock_ahead_of_the_servers_time_ends_grants_early_and_never_late() {
        let confirmed = Confirmation::at(&moment(BOOT, 100, 1_000_500), 1_000_000);
        assert_eq!(
            confirmed.judged_at(&moment(BOOT, 101, 1_000_501)),
            1_000_501
        );
    }
}
