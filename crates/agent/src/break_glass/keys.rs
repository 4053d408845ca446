//! What stands in a break-glass file.

use keyroster_keys::line::{CivilTime, LineError, parse_line};
use keyroster_keys::{Algorithm, AuthorizedKey, Fingerprint, KeyBlob};

use crate::clock::Calendar;

/// A line with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number of the line, from 1.
    pub line: usize,
    /// The key.
    pub fingerprint: Fingerprint,
    /// Its type.
    pub algorithm: Algorithm,
    /// What stands behind it.
    pub label: String,
    /// What can keep it out, or makes it something else than a key that logs in.
    pub limits: Vec<&'static str>,
    /// When it ends.
    pub ends: Ends,
}

/// The ends of `expiry-time=`: the earliest of each clock counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ends {
    utc: Option<CivilTime>,
    local: Option<CivilTime>,
}

impl Entry {
    /// Whether sshd refuses it for its age: not in its last second, but after that (`auth_authorise_keyopts` in OpenSSH's `auth.c`).
    #[must_use]
    pub fn has_ended(&self, now: Calendar) -> bool {
        let over = |end: Option<CivilTime>, now_s: i64| {
            end.is_some_and(|end| i64::try_from(end.seconds()).is_ok_and(|end_s| end_s < now_s))
        };
        over(self.ends.utc, now.utc_s) || over(self.ends.local, now.local_s)
    }

    /// Whether the line is a certificate authority's, whose own key logs nobody in.
    #[must_use]
    pub fn is_authority(&self) -> bool {
        self.limits.contains(&AUTHORITY)
    }
}

/// A line that sshd takes nothing from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Useless {
    /// The number of the line, from 1.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// Reads the lines of a file; blank ones and comments are neither.
#[must_use]
pub fn read(bytes: &[u8]) -> (Vec<Entry>, Vec<Useless>) {
    let (mut entries, mut useless) = (Vec::new(), Vec::new());
    for (number, bytes) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = number + 1;
        match parse_line(bytes).map(|key| key.map(|key| entry(line, &key))) {
            Ok(None) => {}
            Ok(Some(Ok(entry))) => entries.push(entry),
            Ok(Some(Err(why))) => useless.push(Useless { line, why }),
            Err(LineError { reason, at }) => useless.push(Useless {
                line,
                why: format!("{reason} (at byte {at})"),
            }),
        }
    }
    (entries, useless)
}

fn entry(line: usize, key: &AuthorizedKey) -> Result<Entry, String> {
    let blob = KeyBlob::try_from(&key.key).map_err(|err| err.to_string())?;
    Ok(Entry {
        line,
        fingerprint: *blob.fingerprint(),
        algorithm: blob.algorithm(),
        label: key.comment.as_str().to_owned(),
        limits: limits(key),
        ends: Ends {
            utc: key.options.expiry_utc,
            local: key.options.expiry_local,
        },
    })
}

fn limits(key: &AuthorizedKey) -> Vec<&'static str> {
    let options = &key.options;
    let expires = options.expiry_utc.is_some() || options.expiry_local.is_some();
    [
        (options.cert_authority, AUTHORITY),
        (options.from.is_some(), "from"),
        (options.command.is_some(), "command"),
        (expires, "expiry-time"),
        (options.no_touch_required, "no-touch-required"),
    ]
    .into_iter()
    .filter_map(|(is_set, name)| is_set.then_some(name))
    .collect()
}

const AUTHORITY: &str = "cert-authority";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::break_glass::files::tests::{PLAIN, hardware};

    /// The second of 2030-01-01 00:00:00 UTC.
    const NEW_YEAR_S: i64 = 1_893_456_000;

    #[test]
    fn a_key_ends_behind_its_last_second_by_the_clock_that_it_names() {
        let at = |utc_s| Calendar {
            utc_s,
            local_s: utc_s + 3600,
        };
        for (option, last_s) in [
            ("expiry-time=\"20300101Z\"", NEW_YEAR_S),
            ("expiry-time=\"20300101\"", NEW_YEAR_S - 3600),
            (
                "expiry-time=\"20300101Z\",expiry-time=\"20300101\"",
                NEW_YEAR_S - 3600,
            ),
        ] {
            let (entries, _) = read(format!("{option} {PLAIN}").as_bytes());
            assert!(!entries[0].has_ended(at(last_s)), "{option}");
            assert!(entries[0].has_ended(at(last_s + 1)), "{option}");
        }
        assert!(!read(PLAIN.as_bytes()).0[0].has_ended(at(i64::MAX - 3600)));
    }

    #[test]
    fn lines_are_told_apart_with_their_numbers() {
        let text = format!(
            "# for the safe\n\n{} safe\nnonsense\nfrom=\"10.0.0.0/8\",expiry-time=\"20300101\" {PLAIN}\n",
            hardware(1)
        );
        let (entries, useless) = read(text.as_bytes());
        let told: Vec<_> = entries
            .iter()
            .map(|entry| (entry.line, entry.label.as_str(), entry.limits.clone()))
            .collect();
        assert_eq!(
            told,
            [(3, "safe", vec![]), (5, "", vec!["from", "expiry-time"]),]
        );
        assert!(entries[0].algorithm.is_security_key() && !entries[1].algorithm.is_security_key());
        assert_eq!(
            useless
                .iter()
                .map(|useless| useless.line)
                .collect::<Vec<_>>(),
            [4]
        );
    }
}
