//! RFC 3339 text for [`Timestamp`]: whole seconds, always UTC, always `Z` when written.

use keyroster_roster::Timestamp;
use thiserror::Error;

/// A text that is no RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{0}\" is not an RFC 3339 time such as 2026-11-21T09:00:00Z")]
pub struct TimeError(String);

/// Writes `time` as RFC 3339 in UTC, whole seconds.
///
/// A time outside of the years that RFC 3339 can write is clamped to the nearest one that it can.
#[must_use]
pub fn to_rfc3339(time: Timestamp) -> String {
    let clamped = time.as_unix().clamp(MIN_UNIX, MAX_UNIX);
    match jiff::Timestamp::from_second(clamped) {
        Ok(instant) => instant.to_string(),
        Err(_) => String::from("1970-01-01T00:00:00Z"),
    }
}

/// Reads an RFC 3339 time with any offset; a fraction of a second is dropped.
///
/// # Errors
/// When `text` is no RFC 3339 time.
pub fn from_rfc3339(text: &str) -> Result<Timestamp, TimeError> {
    if text.len() > MAX_TEXT {
        return Err(TimeError(String::from("(too long)")));
    }
    text.parse::<jiff::Timestamp>()
        .map(|instant| Timestamp::from_unix(instant.as_second()))
        .map_err(|_| TimeError(text.escape_default().to_string()))
}

/// The longest text that is tried as a time, in bytes.
const MAX_TEXT: usize = 64;
/// 0001-01-01T00:00:00Z.
const MIN_UNIX: i64 = -62_135_596_800;
/// 9999-12-30T00:00:00Z.
const MAX_UNIX: i64 = 253_402_128_000;

/// Serde for a required time: `#[serde(with = "keyroster_api::time::required")]`.
pub mod required {
    use keyroster_roster::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes RFC 3339.
    ///
    /// # Errors
    /// Those of the serialiser.
    pub fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::to_rfc3339(*time))
    }

    /// Reads RFC 3339.
    ///
    /// # Errors
    /// When the value is no RFC 3339 text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        super::from_rfc3339(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// Serde for an optional time: `#[serde(with = "keyroster_api::time::optional", default)]`.
pub mod optional {
    use keyroster_roster::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes RFC 3339 or null.
    ///
    /// # Errors
    /// Those of the serialiser.
    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.serialize_some(&super::to_rfc3339(*time)),
            None => to.serialize_none(),
        }
    }

    /// Reads RFC 3339 or null.
    ///
    /// # Errors
    /// When the value is neither.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        Option::<String>::deserialize(from)?
            .map(|text| super::from_rfc3339(&text).map_err(D::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_whole_seconds() {
        assert_eq!(to_rfc3339(Timestamp::from_unix(0)), "1970-01-01T00:00:00Z");
        assert_eq!(
            to_rfc3339(Timestamp::from_unix(1_795_251_600)),
            "2026-11-21T09:00:00Z"
        );
    }

    #[test]
    fn an_offset_is_read_and_a_fraction_is_dropped() {
        assert_eq!(
            from_rfc3339("2026-11-21T10:00:00.9+01:00"),
            Ok(Timestamp::from_unix(1_795_251_600))
        );
    }

    #[test]
    fn nonsense_and_control_characters_are_refused_without_being_echoed_raw() {
        for text in [
            "",
            "tomorrow",
            "2026-11-21",
            "2026-13-01T00:00:00Z",
            "2026-11-21T09:00:00\n",
        ] {
            let error = from_rfc3339(text).unwrap_err().to_string();
            assert!(!error.contains('\n'), "{error:?}");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_clamped_and_do_not_panic() {
        assert!(to_rfc3339(Timestamp::from_unix(i64::MIN)).ends_with('Z'));
        assert!(to_rfc3339(Timestamp::from_unix(i64::MAX)).starts_with("9999"));
    }
}
