use std::fmt;
use std::str::FromStr;

use crate::ModelError;

/// What a person calls a key. May be empty; never printed into a line that sshd reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<str>);

impl Label {
    /// Reads a label, leaving off blanks around it.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        printable("label", text, MAX_LABEL_BYTES).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why something was done, in a person's words. Never empty, and never printed into a line that sshd reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(Box<str>);

impl Reason {
    /// Reads a reason, leaving off blanks around it.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        match printable("reason", text, MAX_REASON_BYTES)? {
            reason if reason.is_empty() => Err(ModelError::Empty { what: "reason" }),
            reason => Ok(Self(reason)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        Self::parse(text)
    }
}

impl FromStr for Reason {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        Self::parse(text)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks before trimming, so that a line break at the end is refused rather than swallowed.
fn printable(what: &'static str, text: &str, max: usize) -> Result<Box<str>, ModelError> {
    if let Some(character) = text.chars().find(|c| disturbs_a_line(*c)) {
        return Err(ModelError::Character {
            what,
            character,
            rule: "control characters are not accepted",
        });
    }
    let text = text.trim();
    if text.len() > max {
        return Err(ModelError::TooLong {
            what,
            length: text.len(),
            max,
        });
    }
    Ok(text.into())
}

/// Whether a character could end a line, drive a terminal, or make a text read other than it is written: Unicode's
/// control characters, its line and paragraph separators, and the marks that turn the direction of writing.
pub(crate) fn disturbs_a_line(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Bytes in a label.
pub const MAX_LABEL_BYTES: usize = 128;

/// Bytes in a reason.
pub const MAX_REASON_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_could_break_or_turn_a_line_is_refused() {
        for character in [
            '\n', '\r', '\0', '\t', '\x1b', '\x7f', '\u{85}', '\u{2028}', '\u{202e}', '\u{2066}',
            '\u{200f}',
        ] {
            for text in [
                format!("a{character}b"),
                format!("a{character}"),
                format!("{character}a"),
            ] {
                assert!(
                    matches!(Label::parse(&text), Err(ModelError::Character { .. })),
                    "{text:?}"
                );
                assert!(
                    matches!(Reason::parse(&text), Err(ModelError::Character { .. })),
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn a_text_is_trimmed_and_keeps_every_script() {
        assert_eq!(
            Label::parse("  clé d'Ærø, 鍵 \u{a0}").unwrap().as_str(),
            "clé d'Ærø, 鍵"
        );
        assert_eq!(Label::parse("").unwrap(), Label::default());
    }

    #[test]
    fn a_reason_says_something() {
        assert_eq!(
            Reason::parse("   "),
            Err(ModelError::Empty { what: "reason" })
        );
    }

    #[test]
    fn the_limits_count_bytes() {
        assert!(Label::parse(&"é".repeat(MAX_LABEL_BYTES / 2)).is_ok());
        assert!(matches!(
            Label::parse(&"é".repeat(MAX_LABEL_BYTES / 2 + 1)),
            Err(ModelError::TooLong { .. })
        ));
        assert!(Reason::parse(&"x".repeat(MAX_REASON_BYTES)).is_ok());
        assert!(Reason::parse(&"x".repeat(MAX_REASON_BYTES + 1)).is_err());
    }
}
