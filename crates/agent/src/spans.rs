//! Spans of time as people read them.

/// The span in the largest unit of which it has two, or a whole number: `90 s`, `1 h`, `36 h`, `60 days`.
pub(crate) fn span(seconds: u64) -> String {
    let fits = |(unit, _): &&(u64, &str)| {
        seconds >= 2 * unit || (seconds > 0 && seconds.is_multiple_of(*unit))
    };
    match UNITS.iter().find(fits) {
        Some((unit, word)) => match seconds / unit {
            1 if *word == DAYS => "1 day".to_owned(),
            count => format!("{count} {word}"),
        },
        None => format!("{seconds} s"),
    }
}

/// When something was, or will be, seen from now.
pub(crate) fn from_now(at_s: i64, now_s: i64) -> String {
    let apart = span(at_s.abs_diff(now_s));
    match at_s > now_s {
        true => format!("in {apart}"),
        false => format!("{apart} ago"),
    }
}

const DAYS: &str = "days";
const UNITS: [(u64, &str); 3] = [(24 * 60 * 60, DAYS), (60 * 60, "h"), (60, "min")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_the_unit_that_people_would_use() {
        for (seconds, told) in [
            (0, "0 s"),
            (1, "1 s"),
            (60, "1 min"),
            (119, "119 s"),
            (300, "5 min"),
            (3_600, "1 h"),
            (5_400, "90 min"),
            (86_400, "1 day"),
            (100_000, "27 h"),
            (60 * 86_400 + 5, "60 days"),
        ] {
            assert_eq!(span(seconds), told);
        }
        assert_eq!(from_now(1_000, 1_000), "0 s ago");
        assert_eq!(from_now(880, 1_000), "2 min ago");
        assert_eq!(from_now(1_000 + 14_400, 1_000), "in 4 h");
    }
}
