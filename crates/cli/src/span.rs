//! Moments and spans as people type them: `2026-12-31T00:00:00Z`, `90d`, `1h30m`.
//!
//! No months and years, which have no fixed length, and no dates without a time, which begin at another moment on every
//! host: software that decides who may log in should not guess. So the grammar is small enough to be written here.

use std::fmt;
use std::str::FromStr;

use keyroster_api::{Timestamp, time};

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::text::printable;

/// A length of time in whole seconds, above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(u32);

/// A moment, named by itself or by its distance from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// This moment.
    At(Timestamp),
    /// So far from now.
    Away(Span),
}

/// Why a text is no span or moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpanError {
    #[error("a span is numbers with units, the largest first: 2w, 90d, 12h, 30m, 45s, 1h30m")]
    Form,
    #[error("a span must be longer than nothing")]
    Zero,
    #[error("a span can't be longer than {MAX_SPAN_D}d")]
    TooLong,
    #[error(
        "give an RFC 3339 time such as 2026-12-31T00:00:00Z, or a span such as 90d, 12h or 1h30m"
    )]
    Neither,
}

impl Span {
    pub(crate) const fn seconds(self) -> u32 {
        self.0
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> std::result::Result<Self, SpanError> {
        let mut units = UNITS.iter();
        let mut total: u64 = 0;
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .ok_or(SpanError::Form)?;
            let (digits, tail) = rest.split_at(end);
            if digits.is_empty() {
                return Err(SpanError::Form);
            }
            let (letter, seconds) = units
                .find(|(letter, _)| tail.starts_with(*letter))
                .ok_or(SpanError::Form)?;
            let count: u64 = digits.parse().map_err(|_| SpanError::TooLong)?;
            total = total.saturating_add(count.saturating_mul(*seconds));
            rest = tail.strip_prefix(*letter).unwrap_or_default();
        }
        match (text.is_empty(), total) {
            (true, _) => Err(SpanError::Form),
            (_, 0) => Err(SpanError::Zero),
            (_, total) if total > MAX_SPAN_S => Err(SpanError::TooLong),
            (_, total) => u32::try_from(total)
                .map(Self)
                .map_err(|_| SpanError::TooLong),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::from(self.0);
        for (letter, seconds) in UNITS.iter().skip(1) {
            if rest >= *seconds {
                write!(f, "{}{letter}", rest / seconds)?;
                rest %= seconds;
            }
        }
        Ok(())
    }
}

impl FromStr for When {
    type Err = SpanError;

    fn from_str(text: &str) -> std::result::Result<Self, SpanError> {
        if let Ok(moment) = time::from_rfc3339(text) {
            return Ok(Self::At(moment));
        }
        match text.parse() {
            Ok(span) => Ok(Self::Away(span)),
            Err(SpanError::Form) => Err(SpanError::Neither),
            Err(error) => Err(error),
        }
    }
}

impl When {
    /// The moment, a span counted forward from `now`; one that has passed is refused in the name of `flag`.
    pub(crate) fn in_future(self, now: Timestamp, flag: &str, hint: &str) -> Result<Timestamp> {
        let moment = self.from(now);
        if moment > now {
            return Ok(moment);
        }
        let what = format!("{flag} {} is in the past", time::to_rfc3339(moment));
        Err(Failure::new(Exit::Usage, what).hint(hint))
    }

    /// The moment, a span counted forward from `now`.
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::Away(span) => now.saturating_add(span.0.into()),
        }
    }

    /// The moment, a span counted back from `now`.
    pub(crate) fn ago(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::Away(span) => now.saturating_add(-i64::from(span.0)),
        }
    }
}

/// A number of seconds from the key server, as a person reads it.
pub(crate) fn seconds_text(seconds: u32) -> String {
    match seconds {
        0 => String::from("0s"),
        seconds => Span(seconds).to_string(),
    }
}

/// A moment from the key server, as a person reads it; a dash for none.
pub(crate) fn moment_text(moment: Option<Timestamp>) -> String {
    moment.map_or_else(
        || String::from("-"),
        |moment| printable(&time::to_rfc3339(moment)).into_owned(),
    )
}

/// Units and their seconds, largest first.
const UNITS: [(char, u64); 5] = [
    ('w', 604_800),
    ('d', 86_400),
    ('h', 3_600),
    ('m', 60),
    ('s', 1),
];
/// The longest span in days: a hundred years.
const MAX_SPAN_D: u64 = 36_525;
/// The longest span in seconds.
const MAX_SPAN_S: u64 = MAX_SPAN_D * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> std::result::Result<u32, SpanError> {
        text.parse::<Span>().map(Span::seconds)
    }

    #[test]
    fn a_span_is_read_in_every_unit_and_in_sums_of_them() {
        for (text, expected) in [
            ("45s", 45),
            ("30m", 1_800),
            ("12h", 43_200),
            ("90d", 7_776_000),
            ("2w", 1_209_600),
            ("1h30m", 5_400),
            ("1w1d1h1m1s", 694_861),
            ("0h5m", 300),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_span() {
        for text in [
            "", "90", "d", "-1d", "+1d", "1 d", "1.5h", "1m1h", "1h1h", "1y", "1M", "1h30", "٣d",
            "1dd",
        ] {
            assert_eq!(seconds(text), Err(SpanError::Form), "{text:?}");
        }
    }

    #[test]
    fn no_span_and_a_span_beyond_a_century_are_refused() {
        assert_eq!(seconds("0s"), Err(SpanError::Zero));
        assert_eq!(seconds("36525d"), Ok(3_155_760_000));
        assert_eq!(seconds("36526d"), Err(SpanError::TooLong));
        assert_eq!(seconds("99999999999999999999w"), Err(SpanError::TooLong));
        assert_eq!(seconds("9999999999999999999w"), Err(SpanError::TooLong));
    }

    #[test]
    fn a_span_is_written_as_it_is_read() {
        for text in ["45s", "1h30m", "90d", "1d1h1m1s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!(seconds_text(0), "0s");
    }

    #[test]
    fn a_moment_is_rfc_3339_or_a_span_from_now() {
        let now = Timestamp::from_unix(1_795_251_600);
        let when = |text: &str| text.parse::<When>().unwrap();
        assert_eq!(when("2026-11-21T10:00:00+01:00").from(now), now);
        assert_eq!(when("1h").from(now), now.saturating_add(3_600));
        assert_eq!(when("1h").ago(now), now.saturating_add(-3_600));
        for text in ["2026-11-21", "tomorrow", "1"] {
            assert_eq!(text.parse::<When>(), Err(SpanError::Neither), "{text}");
        }
    }

    #[test]
    fn a_moment_that_must_lie_ahead_and_has_passed_is_refused_with_a_hint() {
        let now = Timestamp::from_unix(1_795_251_600);
        let at = |moment| When::At(moment).in_future(now, "--until", "give a later time");
        assert_eq!(at(now.saturating_add(1)), Ok(now.saturating_add(1)));
        assert_eq!(
            at(now).unwrap_err().to_string(),
            "error: --until 2026-11-21T09:00:00Z is in the past\nhint: give a later time"
        );
    }
}
