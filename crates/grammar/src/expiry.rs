//! `expiry-time=`: a date, or a date and a time, in UTC or in the local time of the host.
//!
//! Kept as a moment on the calendar without a zone: what a local time means is known to the host alone, and turning it
//! into UTC here would move it. Impossible days are carried over as sshd carries them (30 February is 2 March).

use std::fmt;

/// A moment on the calendar, in seconds that know no zone. From 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilTime(u64);

/// An expiry as it stood in a value: when, and by whose clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpiryTime {
    Utc(CivilTime),
    Local(CivilTime),
}

impl CivilTime {
    /// The moment that many seconds after the start of 1970.
    ///
    /// `None` at 0, which sshd takes for no expiry at all, and after the year 9999, which can't be written.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Option<Self> {
        if seconds == 0 || seconds > LAST_SECOND {
            None
        } else {
            Some(Self(seconds))
        }
    }

    /// Seconds since the start of 1970 by the same clock.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl fmt::Display for CivilTime {
    /// Writes `YYYYMMDDHHMMSS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / DAY, self.0 % DAY);
        let (year, month, day) = date_of(days);
        write!(
            f,
            "{year:04}{month:02}{day:02}{:02}{:02}{:02}",
            second / HOUR,
            second % HOUR / MINUTE,
            second % MINUTE
        )
    }
}

impl ExpiryTime {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (digits, utc) = split_zone(text);
        let time = CivilTime::from_seconds(seconds_of(digits)?)?;
        Some(if utc {
            Self::Utc(time)
        } else {
            Self::Local(time)
        })
    }
}

/// Cuts `Z` or `UTC` off the end, in any case.
fn split_zone(text: &str) -> (&str, bool) {
    let without = |zone: &str| {
        let (digits, end) = text.split_at_checked(text.len().checked_sub(zone.len())?)?;
        (end.eq_ignore_ascii_case(zone) && !digits.is_empty()).then_some(digits)
    };
    match without("z").or_else(|| without("utc")) {
        Some(digits) => (digits, true),
        None => (text, false),
    }
}

fn seconds_of(text: &str) -> Option<u64> {
    if !matches!(text.len(), 8 | 12 | 14) {
        return None;
    }
    let year = field(text, 0, 4, 1970..=9999)?;
    let month = field(text, 4, 6, 1..=12)?;
    let day = field(text, 6, 8, 1..=31)?;
    let (hour, minute) = if text.len() >= 12 {
        (field(text, 8, 10, 0..=23)?, field(text, 10, 12, 0..=59)?)
    } else {
        (0, 0)
    };
    let second = if text.len() == 14 {
        field(text, 12, 14, 0..=61)?
    } else {
        0
    };
    Some((days_before(year, month) + day - 1) * DAY + hour * HOUR + minute * MINUTE + second)
}

/// One number of the date. Blanks may stand before its digits, as they may for sshd, but not behind them.
fn field(text: &str, from: usize, to: usize, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
    let digits = text.get(from..to)?.trim_start_matches(' ');
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|number| range.contains(number))
}

/// Days from the start of 1970 to the start of a month.
fn days_before(year: u64, month: u64) -> u64 {
    let before_year = (year - 1970) * 365 + leap_days_before(year) - leap_days_before(1970);
    let before_month: u64 = (1..month).map(|month| days_in(year, month)).sum();
    before_year + before_month
}

fn date_of(days: u64) -> (u64, u64, u64) {
    let mut year = 1970 + days / 366;
    while days_before(year + 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_before(year, month + 1) <= days {
        month += 1;
    }
    (year, month, days - days_before(year, month) + 1)
}

const fn leap_days_before(year: u64) -> u64 {
    let years = year - 1;
    years / 4 - years / 100 + years / 400
}

const fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Seconds of a minute.
const MINUTE: u64 = 60;
/// Seconds of an hour.
const HOUR: u64 = 60 * MINUTE;
/// Seconds of a day.
const DAY: u64 = 24 * HOUR;
/// 9999-12-31 23:59:59, the last second that fourteen digits can say.
const LAST_SECOND: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<String> {
        match ExpiryTime::parse(text)? {
            ExpiryTime::Utc(time) => Some(time.to_string()),
            ExpiryTime::Local(_) => None,
        }
    }

    fn local(text: &str) -> Option<String> {
        match ExpiryTime::parse(text)? {
            ExpiryTime::Local(time) => Some(time.to_string()),
            ExpiryTime::Utc(_) => None,
        }
    }

    #[test]
    fn a_bare_date_is_its_first_second_in_local_time() {
        assert_eq!(local("20301231").as_deref(), Some("20301231000000"));
        assert_eq!(local("203012312359").as_deref(), Some("20301231235900"));
        assert_eq!(local("20301231235958").as_deref(), Some("20301231235958"));
    }

    #[test]
    fn a_zone_is_written_z_or_utc_in_any_case() {
        for text in ["20301231Z", "20301231z", "20301231UTC", "20301231utc"] {
            assert_eq!(utc(text).as_deref(), Some("20301231000000"), "{text}");
        }
    }

    #[test]
    fn days_and_seconds_that_do_not_exist_are_carried_over() {
        assert_eq!(utc("20300231Z").as_deref(), Some("20300303000000"));
        assert_eq!(utc("20320230Z").as_deref(), Some("20320301000000"));
        assert_eq!(utc("20301231235960Z").as_deref(), Some("20310101000000"));
        assert_eq!(utc("2030 1 2Z").as_deref(), Some("20300102000000"));
    }

    #[test]
    fn other_lengths_ranges_and_years_are_refused() {
        for text in [
            "",
            "Z",
            "UTC",
            "2030123",
            "2030123124",
            "20301301",
            "20300001",
            "20300132",
            "20300100",
            "203012312460",
            "20301231235962",
            "20301231 ",
            " 20301231",
            "2030-1-1",
            "+2030101",
            "19691231",
            "19700101",
            "19700101Z",
            "00000101",
            "99991231235960",
            "2030123é",
            "20301231ZZ",
        ] {
            assert_eq!(ExpiryTime::parse(text), None, "{text}");
        }
    }

    #[test]
    fn seconds_agree_with_known_moments() {
        for (text, seconds) in [
            ("19700102Z", 86_400),
            ("20000229Z", 951_782_400),
            ("20010909014640Z", 1_000_000_000),
            ("21000301Z", 4_107_542_400),
            ("99991231235959Z", LAST_SECOND),
        ] {
            let time = CivilTime::from_seconds(seconds).unwrap();
            assert_eq!(
                ExpiryTime::parse(text),
                Some(ExpiryTime::Utc(time)),
                "{text}"
            );
            assert_eq!(time.seconds(), seconds);
        }
        assert_eq!(CivilTime::from_seconds(0), None);
        assert_eq!(CivilTime::from_seconds(LAST_SECOND + 1), None);
    }
}
