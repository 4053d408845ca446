//! The value of a key option: what stands between its quotes.
//!
//! sshd knows one escape, `\"`. A backslash before anything else is a backslash, so a value that ends in one can't be
//! written: the closing quote would be taken for an escaped one. Such a value can't be made, nor one with a control
//! character: a line feed would start a second line, and a NUL would cut this one.

use std::fmt;

use crate::cursor::Cursor;
use crate::error::OptionReason;

/// Text that can stand between the quotes of an option.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionValue(String);

impl OptionValue {
    /// Checks that a text can be written between quotes.
    ///
    /// # Errors
    /// When it has a control character or ends in a backslash.
    pub fn parse(text: &str) -> Result<Self, OptionReason> {
        if text.chars().any(char::is_control) {
            return Err(OptionReason::ControlCharacter);
        }
        if text.ends_with('\\') {
            return Err(OptionReason::EndsInBackslash);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text without quotes and escapes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a quoted value and leaves the cursor behind its closing quote.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, OptionReason> {
        if !cursor.eat(b'"') {
            return Err(OptionReason::NoOpeningQuote);
        }
        let mut bytes = Vec::new();
        loop {
            match cursor.bump() {
                None => return Err(OptionReason::NoClosingQuote),
                Some(b'"') => break,
                Some(b'\\') if cursor.eat(b'"') => bytes.push(b'"'),
                Some(byte) => bytes.push(byte),
            }
        }
        let text = String::from_utf8(bytes).map_err(|_| OptionReason::NotUtf8)?;
        Self::parse(&text)
    }
}

impl fmt::Display for OptionValue {
    /// Writes the value as sshd reads it, with its quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\\\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, OptionReason> {
        OptionValue::read(&mut Cursor::new(text.as_bytes())).map(|value| value.0)
    }

    #[test]
    fn the_only_escape_is_that_of_the_quote() {
        assert_eq!(read(r#""a\"b""#).as_deref(), Ok(r#"a"b"#));
        assert_eq!(read(r#""a\\b""#).as_deref(), Ok(r"a\\b"));
        assert_eq!(read(r#""a\nb""#).as_deref(), Ok(r"a\nb"));
        assert_eq!(read(r#""a\\"b""#).as_deref(), Ok(r#"a\"b"#));
    }

    #[test]
    fn a_backslash_before_the_last_quote_leaves_the_value_open() {
        assert_eq!(read(r#""a\""#), Err(OptionReason::NoClosingQuote));
        assert_eq!(
            OptionValue::parse("a\\"),
            Err(OptionReason::EndsInBackslash)
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "",
            "a b",
            "#,=",
            r#"say "hi""#,
            r#"\" \\ \"#.trim_end_matches('\\'),
            "naïve",
            r#"""""#,
        ] {
            let written = OptionValue::parse(text).unwrap().to_string();
            assert_eq!(read(&written).as_deref(), Ok(text), "{written}");
        }
    }

    #[test]
    fn control_characters_and_bytes_that_are_no_text_are_refused() {
        for text in ["a\nb", "a\0", "\t", "\u{1b}", "\u{7f}", "\u{85}"] {
            assert_eq!(
                OptionValue::parse(text),
                Err(OptionReason::ControlCharacter),
                "{text:?}"
            );
        }
        assert_eq!(
            OptionValue::read(&mut Cursor::new(b"\"\xe9\"")),
            Err(OptionReason::NotUtf8)
        );
        assert_eq!(read("a"), Err(OptionReason::NoOpeningQuote));
    }
}
