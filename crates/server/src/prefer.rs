//! `Prefer: wait=<seconds>` (RFC 7240): for how long a host is ready to wait until something changes for it.
//!
//! A preference, so one that can't be read is no error: it is as if it were not there.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// How long the caller is ready to wait, and at most `max`; `None` when it does not say so, or says nothing that makes sense.
#[must_use]
pub fn wait(headers: &HeaderMap, max: Duration) -> Option<Duration> {
    let values = headers.get_all(PREFER).iter();
    let mut preferences = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(split);
    // Of one that is there twice the first counts, says the RFC.
    let wait = preferences.find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then_some(value)
    })?;
    let value = wait.split(';').next().unwrap_or_default().trim();
    let seconds = seconds(unquoted(value))?;
    let span = Duration::from_secs(seconds).min(max);
    (!span.is_zero()).then_some(span)
}

/// `Preference-Applied`: what was made of the preference.
pub fn applied(span: Duration) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_str(&format!("wait={}", span.as_secs())).ok()?;
    Some((PREFERENCE_APPLIED, value))
}

/// The preferences of one header, without commas between quotes being taken for ends.
fn split(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    value.split(move |character| {
        let literal = std::mem::take(&mut escaped);
        match character {
            '\\' if quoted && !literal => escaped = true,
            '"' if !literal => quoted = !quoted,
            ',' => return !quoted,
            _ => {}
        }
        false
    })
}

fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"');
    inner
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value)
}

/// Digits only: a number's parser would take a sign too.
fn seconds(text: &str) -> Option<u64> {
    let digits =
        (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// What a caller would like.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// What it gets.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// Digits of a number of seconds.
const MAX_DIGITS: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_of(values: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, value.parse().unwrap());
        }
        wait(&headers, Duration::from_secs(50)).map(|span| span.as_secs())
    }

    #[test]
    fn a_wait_is_read_among_other_preferences_and_capped() {
        assert_eq!(wait_of(&["wait=25"]), Some(25));
        assert_eq!(wait_of(&["respond-async, Wait = \"7\" ; x=1"]), Some(7));
        assert_eq!(wait_of(&["respond-async", "wait=3, wait=4"]), Some(3));
        assert_eq!(wait_of(&["wait=999999999"]), Some(50));
    }

    #[test]
    fn what_makes_no_sense_is_no_wait() {
        for value in [
            "",
            "wait",
            "wait=",
            "wait=-1",
            "wait=+1",
            "wait=1.5",
            "wait=0",
            "wait=1e3",
            "wait=٣",
            "wait=99999999999999999999",
            "await=5",
            "note=\"a, wait=5\"",
            "note=\"\\\", wait=5",
        ] {
            let mut headers = HeaderMap::new();
            headers.append(PREFER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            assert_eq!(wait(&headers, Duration::from_secs(50)), None, "{value}");
        }
        assert_eq!(wait_of(&[]), None);
    }
}
