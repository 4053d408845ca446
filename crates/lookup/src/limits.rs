//! What one source may take: how long it may run, and how much it may print.
//!
//! ```text
//! command.directory.deadline:   1500ms
//! command.directory.max-output: 64KiB
//! ```
//!
//! A number without its unit is refused: nobody who reads the file should have to know whether a bare 2 means seconds. What may be set
//! is bounded, because a setting that cannot be kept is worse than none: no source can have more time than an answer has, and the longest
//! deadline leaves the next source what `deadline` keeps for it.

use std::fmt;
use std::time::Duration;

use crate::deadline::{COMMAND_WITHIN, LONGEST_COMMAND};
use crate::provider;

/// Longest output of a source that has no setting of its own, and the most that can be set, in bytes: some 1,500 RSA keys.
const OUTPUT_MAX: usize = 1024 * 1024;

/// The shortest deadline that can be set: less than a program takes to start would be a way to write "never".
const SHORTEST_COMMAND: Duration = Duration::from_millis(10);

/// The lowest cap that can be set, in bytes: room for a line of the shortest key.
const LEAST_OUTPUT: usize = 128;

/// What one source may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long it may run.
    pub(crate) within: Duration,
    /// How many bytes it may print.
    pub(crate) output: usize,
}

impl Limits {
    /// What a source is held to unless the configuration says otherwise.
    pub(crate) const DEFAULT: Self = Self {
        within: COMMAND_WITHIN,
        output: OUTPUT_MAX,
    };

    /// Puts one of them in its place.
    pub(crate) const fn set(&mut self, limit: Limit) {
        match limit {
            Limit::Deadline(within) => self.within = within,
            Limit::MaxOutput(output) => self.output = output,
        }
    }
}

/// One limit, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// `deadline`
    Deadline(Duration),
    /// `max-output`
    MaxOutput(usize),
}

/// A line that sets a limit: whose, where it stands, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting<'a> {
    /// The source's name.
    pub(crate) name: &'a str,
    /// The line's number.
    pub(crate) number: u32,
    /// What it sets.
    pub(crate) limit: Limit,
}

/// The source's name and the limit's, when a setting's name is of the form `command.NAME.LIMIT`.
pub(crate) fn named(setting: &str) -> Option<(&str, &str)> {
    setting.strip_prefix("command.")?.split_once('.')
}

impl Limit {
    /// Reads the value of the setting `command.NAME.KEY`.
    pub(crate) fn parse(name: &str, key: &str, value: &str) -> Result<Self, LimitError> {
        if !provider::is_name(name) {
            return Err(LimitError::Name);
        }
        match key {
            DEADLINE => deadline(value).map(Self::Deadline),
            MAX_OUTPUT => output(value).map(Self::MaxOutput),
            _ => Err(LimitError::Key),
        }
    }

    /// The name of the setting.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Deadline(_) => DEADLINE,
            Self::MaxOutput(_) => MAX_OUTPUT,
        }
    }
}

const DEADLINE: &str = "deadline";
const MAX_OUTPUT: &str = "max-output";

fn deadline(value: &str) -> Result<Duration, LimitError> {
    let (number, unit) = quantity(value).ok_or(LimitError::Deadline)?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        _ => None,
    };
    let within = milliseconds.map(Duration::from_millis);
    within
        .filter(|within| (SHORTEST_COMMAND..=LONGEST_COMMAND).contains(within))
        .ok_or(LimitError::Deadline)
}

fn output(value: &str) -> Result<usize, LimitError> {
    let (number, unit) = quantity(value).ok_or(LimitError::MaxOutput)?;
    let bytes = match unit {
        "B" => Some(number),
        "KiB" => number.checked_mul(1024),
        "MiB" => number.checked_mul(1024 * 1024),
        _ => None,
    };
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    bytes
        .filter(|bytes| (LEAST_OUTPUT..=OUTPUT_MAX).contains(bytes))
        .ok_or(LimitError::MaxOutput)
}

/// A whole number and the unit behind it.
fn quantity(value: &str) -> Option<(u64, &str)> {
    let end = value.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = value.split_at_checked(end)?;
    Some((number.parse().ok()?, unit))
}

/// Why a line sets no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitError {
    Name,
    Key,
    Deadline,
    MaxOutput,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shortest, longest) = (SHORTEST_COMMAND.as_millis(), LONGEST_COMMAND.as_millis());
        match self {
            Self::Name => f.write_str(
                "what stands between `command.` and the limit is no name of small letters, digits and `-`",
            ),
            Self::Key => write!(
                f,
                "behind `command.NAME.` stands neither `{DEADLINE}` nor `{MAX_OUTPUT}`"
            ),
            Self::Deadline => write!(
                f,
                "`{DEADLINE}` is not a whole number of `ms` or `s` between {shortest}ms and {longest}ms"
            ),
            Self::MaxOutput => write!(
                f,
                "`{MAX_OUTPUT}` is not a whole number of `B`, `KiB` or `MiB` between {LEAST_OUTPUT}B and {}KiB",
                OUTPUT_MAX / 1024
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(value: &str) -> Result<u128, LimitError> {
        deadline(value).map(|within| within.as_millis())
    }

    #[test]
    fn a_deadline_has_a_unit_and_leaves_time_for_the_lookup_itself() {
        assert_eq!(milliseconds("1500ms"), Ok(1_500));
        assert_eq!(milliseconds("1s"), Ok(1_000));
        assert_eq!(milliseconds("10ms"), Ok(10));
        assert_eq!(milliseconds("1700ms"), Ok(1_700));
        for value in [
            "",
            "1500",
            "ms",
            "1.5s",
            "1 s",
            "-1s",
            "+1s",
            "1S",
            "1m",
            "9ms",
            "0s",
            "1701ms",
            "2s",
            "18446744073709551615s",
            "18446744073709551616ms",
            "1s 1s",
            "١s",
        ] {
            assert_eq!(milliseconds(value), Err(LimitError::Deadline), "{value}");
        }
    }

    #[test]
    fn a_cap_has_a_unit_and_is_a_mebibyte_at_most() {
        assert_eq!(output("64KiB"), Ok(65_536));
        assert_eq!(output("1MiB"), Ok(OUTPUT_MAX));
        assert_eq!(output("128B"), Ok(128));
        for value in [
            "",
            "64",
            "64K",
            "64kb",
            "64 KiB",
            "127B",
            "0MiB",
            "2MiB",
            "1025KiB",
            "18446744073709551615KiB",
        ] {
            assert_eq!(output(value), Err(LimitError::MaxOutput), "{value}");
        }
    }

    #[test]
    fn the_line_names_a_source_and_one_of_the_two() {
        assert_eq!(named("command.x.deadline"), Some(("x", "deadline")));
        assert_eq!(named("command.x"), None);
        assert_eq!(named("log_socket"), None);
        let limit = Limit::parse("x", "max-output", "1KiB").unwrap();
        assert_eq!((limit, limit.key()), (Limit::MaxOutput(1024), "max-output"));
        for name in ["", "X", "/usr/bin/x"] {
            assert_eq!(Limit::parse(name, "deadline", "1s"), Err(LimitError::Name));
        }
        for key in ["", "timeout", "max_output", "deadline.x"] {
            assert_eq!(Limit::parse("x", key, "1s"), Err(LimitError::Key));
        }
    }
}
