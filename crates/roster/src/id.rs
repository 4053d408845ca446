use std::fmt;
use std::str::FromStr;

use crate::ModelError;

/// Defines an id that is kept in its text form: the databases, the API and a printed line all carry the same bytes.
macro_rules! text_id {
    ($(#[$docs:meta])* $name:ident, $what:literal) => {
        $(#[$docs])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Reads the lower-case text form of a UUID.
            pub fn parse(text: &str) -> Result<Self, ModelError> {
                if is_uuid_text(text) { Ok(Self(text.into())) } else { Err(ModelError::Id { what: $what }) }
            }

            /// The text form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ModelError;

            fn from_str(text: &str) -> Result<Self, ModelError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// Which enrolled host. A host that is removed and enrolled again under its old name gets another id.
    HostId, "host id"
}

text_id! {
    /// Which grant. Ids are made in order of time, so the smaller of two is the older grant.
    GrantId, "grant id"
}

text_id! {
    /// Which report of a host's. Hosts make these ids themselves.
    ReportId, "report id"
}

/// Defines a counter that fits a `bigint` column.
macro_rules! counter {
    ($(#[$docs:meta])* $name:ident, $what:literal) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The value before the first.
            pub const ZERO: Self = Self(0);

            /// The highest value, which is the highest that both databases store.
            pub const MAX: Self = Self(i64::MAX.unsigned_abs());

            /// Takes a number up to [`Self::MAX`].
            pub const fn new(value: u64) -> Result<Self, ModelError> {
                if value <= Self::MAX.0 {
                    Ok(Self(value))
                } else {
                    Err(ModelError::OutOfRange { what: $what, value, min: 0, max: Self::MAX.0 })
                }
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The number as the databases hold it.
            pub const fn as_i64(self) -> i64 {
                self.0.cast_signed()
            }
        }

        impl TryFrom<u64> for $name {
            type Error = ModelError;

            fn try_from(value: u64) -> Result<Self, ModelError> {
                Self::new(value)
            }
        }

        impl TryFrom<i64> for $name {
            type Error = ModelError;

            /// A negative number is refused as the huge one that it would be without its sign.
            fn try_from(value: i64) -> Result<Self, ModelError> {
                Self::new(value.cast_unsigned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

counter! {
    /// The number of a state of the whole roster, raised by every write.
    Revision, "revision"
}

counter! {
    /// Raised when a database is restored from a backup, so that no host follows the roster back in time silently.
    Epoch, "epoch"
}

impl Epoch {
    /// That of a roster which was never restored.
    pub const FIRST: Self = Self(1);
}

/// Whether the text is 8-4-4-4-12 lower-case hexadecimal digits.
fn is_uuid_text(text: &str) -> bool {
    text.len() == UUID_TEXT_BYTES
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Length of a UUID in its text form.
const UUID_TEXT_BYTES: usize = 36;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_in_lower_case_and_nothing_else() {
        let good = "01939e8a-7c3f-7b1e-9d55-0123456789ab";
        assert_eq!(HostId::parse(good).unwrap().as_str(), good);
        for bad in [
            "",
            "01939E8A-7C3F-7B1E-9D55-0123456789AB",
            "01939e8a7c3f7b1e9d550123456789ab",
            "01939e8a-7c3f-7b1e-9d55-0123456789a",
            "01939e8a-7c3f-7b1e-9d55-0123456789abc",
            "01939e8a-7c3f-7b1e-9d55-0123456789a\n",
            "../../../../../../etc/passwd/../../x",
            "{1939e8a-7c3f-7b1e-9d55-0123456789a}",
        ] {
            assert_eq!(
                GrantId::parse(bad),
                Err(ModelError::Id { what: "grant id" }),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_counter_is_refused_when_a_database_could_not_hold_it() {
        assert_eq!(Revision::new(u64::MAX >> 1).unwrap(), Revision::MAX);
        assert_eq!(Revision::MAX.as_i64(), i64::MAX);
        assert!(Revision::new(1 << 63).is_err());
        assert!(Epoch::try_from(-1_i64).is_err());
        assert_eq!(Epoch::try_from(3_i64).unwrap().get(), 3);
    }
}
