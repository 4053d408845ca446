use std::fmt;
use std::str::FromStr;

use crate::ModelError;

/// Who made a change: the name of a token, the id of a host, or [`Actor::system`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor(Box<str>);

impl Actor {
    /// The key server itself, as in `init`.
    pub fn system() -> Self {
        Self("system".into())
    }

    /// Reads letters, digits and `.`, `_`, `@`, `:`, `-`, beginning with a letter or a digit.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        if text.is_empty() {
            return Err(ModelError::Empty { what: "actor" });
        }
        if text.len() > MAX_ACTOR_BYTES {
            return Err(ModelError::TooLong {
                what: "actor",
                length: text.len(),
                max: MAX_ACTOR_BYTES,
            });
        }
        let refused = |(at, c): &(usize, char)| {
            !(c.is_ascii_alphanumeric() || (*at > 0 && matches!(c, '.' | '_' | '@' | ':' | '-')))
        };
        match text.char_indices().find(refused) {
            Some((_, character)) => Err(ModelError::Character {
                what: "actor",
                character,
                rule: "letters, digits and \".\", \"_\", \"@\", \":\", \"-\" after the first are accepted",
            }),
            None => Ok(Self(text.into())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Actor {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        Self::parse(text)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes in an actor's name.
pub const MAX_ACTOR_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_a_name_that_any_log_can_carry() {
        for good in [
            "system",
            "ci-deploy",
            "01939e8a-7c3f-7b1e-9d55-0123456789ab",
            "A.b_c@d:e",
        ] {
            assert_eq!(Actor::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "-x",
            " x",
            "x y",
            "x\n",
            "é",
            &"x".repeat(MAX_ACTOR_BYTES + 1),
        ] {
            assert!(Actor::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Actor::parse("system").unwrap(), Actor::system());
    }
}
