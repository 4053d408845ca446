use std::fmt;

use crate::ModelError;

/// A moment: whole seconds since the Unix epoch, UTC.
///
/// Whole seconds because that is what sshd's `expiry-time`, both databases and a person agree on; nothing here reads a
/// clock, so a decision can be asked for any moment. `Display` writes RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment that lies so many seconds after the Unix epoch.
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    pub const fn as_unix(self) -> i64 {
        self.0
    }

    /// Reads what `Display` writes, for the years 0 to 9999.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        parse(text)
            .filter(|moment| moment.to_string() == text)
            .ok_or(ModelError::Id { what: "moment" })
    }

    /// The moment so many seconds later (earlier, if negative); stays at the end of the range instead of wrapping.
    #[must_use]
    pub const fn saturating_add(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this moment, negative if it lies before.
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_date(self.0.div_euclid(SECONDS_PER_DAY));
        let second = self.0.rem_euclid(SECONDS_PER_DAY);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }
}

/// The moment that six numbers name, if they stand where `Display` writes them. Whether they are a date is for the caller.
fn parse(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let second_of_day = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let (year, month_from_march) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let (cycle, year_of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    let days = cycle * DAYS_PER_400_YEARS + day_of_cycle - DAYS_FROM_YEAR_0_MARCH_TO_EPOCH;
    Some(Timestamp(days * SECONDS_PER_DAY + second_of_day))
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Counts from 1 March of year 0, so that the leap day is the last of its year and of its 400-year cycle.
fn civil_date(days_since_epoch: i64) -> (i64, i64, i64) {
    let days = days_since_epoch + DAYS_FROM_YEAR_0_MARCH_TO_EPOCH;
    let cycle = days.div_euclid(DAYS_PER_400_YEARS);
    let day_of_cycle = days.rem_euclid(DAYS_PER_400_YEARS);
    let leap_corrections = day_of_cycle / 1_460 - day_of_cycle / 36_524 + day_of_cycle / 146_096;
    let year_of_cycle = (day_of_cycle - leap_corrections) / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (
        cycle * 400 + year_of_cycle + i64::from(month <= 2),
        month,
        day,
    )
}

const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_PER_400_YEARS: i64 = 146_097;
const DAYS_FROM_YEAR_0_MARCH_TO_EPOCH: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_078_012_799, "2004-02-28T23:59:59Z"),
            (1_795_250_096, "2026-11-21T08:34:56Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::from_unix(seconds).to_string(), text);
        }
    }

    #[test]
    fn every_day_follows_the_one_before_it() {
        let lengths = |year: i64| {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            [
                31,
                if leap { 29 } else { 28 },
                31,
                30,
                31,
                30,
                31,
                31,
                30,
                31,
                30,
                31,
            ]
        };
        let mut day_count = 0;
        for year in 1970..2410 {
            for (month, length) in (1..).zip(lengths(year)) {
                for day in 1..=length {
                    assert_eq!(civil_date(day_count), (year, month, day));
                    day_count += 1;
                }
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_are_written_and_not_passed() {
        let last = Timestamp::from_unix(i64::MAX);
        assert_eq!(last.saturating_add(1), last);
        assert!(last.to_string().ends_with('Z'));
        assert!(Timestamp::from_unix(i64::MIN).to_string().ends_with('Z'));
    }

    #[test]
    fn a_moment_is_read_as_it_is_written_and_in_no_other_way() {
        for day in (-700_000..2_900_000).step_by(97) {
            let moment =
                Timestamp::from_unix(day * SECONDS_PER_DAY + day.rem_euclid(SECONDS_PER_DAY));
            assert_eq!(Timestamp::parse(&moment.to_string()), Ok(moment));
        }
        for text in [
            "",
            "2026-11-21T08:34:56",
            "2026-11-21T08:34:56z",
            "2026-11-31T08:34:56Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T08:34:56+00:00",
            "+026-11-21T08:34:56Z",
            "\u{e9}026-11-21T08:34:56Z",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }
}
