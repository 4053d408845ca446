//! What stands behind the key of a line.
//!
//! sshd never reads it, and people type anything into it, so it is the one part of a line that is not kept as it was: what
//! the allow-list lacks becomes `_`. A comment made by a program is checked instead, and refused.

use std::fmt;

use crate::cursor::is_blank;

/// A comment of harmless characters, without blanks at its ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Comment(String);

/// The text is no comment as it stands: use [`Comment::sanitise`] if it may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommentError;

impl Comment {
    /// Checks a text and changes nothing.
    ///
    /// # Errors
    /// When a character is not on the allow-list, a blank stands at an end, or the text is too long.
    pub fn parse(text: &str) -> Result<Self, CommentError> {
        let comment = Self::sanitise(text.as_bytes());
        if comment.0 == text {
            Ok(comment)
        } else {
            Err(CommentError)
        }
    }

    /// Makes a comment of anything: each byte that is not allowed becomes `_`, and what is too long is cut off.
    #[must_use]
    pub fn sanitise(bytes: &[u8]) -> Self {
        let mut text: String = bytes
            .trim_ascii()
            .iter()
            .map(|&byte| match byte {
                byte if is_blank(byte) => ' ',
                byte if is_allowed(byte) => char::from(byte),
                _ => '_',
            })
            .take(MAX_COMMENT_BYTES)
            .collect();
        text.truncate(text.trim_end().len());
        Self(text)
    }

    /// The comment as text; empty when there is none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CommentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a comment has at most {MAX_COMMENT_BYTES} letters, digits, inner blanks and characters of '{ALLOWED}'"
        )
    }
}

impl std::error::Error for CommentError {}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || ALLOWED.as_bytes().contains(&byte)
}

/// Allowed besides letters, digits and blanks. Nothing that means anything to sshd, to a shell's reader of logs, or to HTML.
const ALLOWED: &str = "-_.:@+=/,";
/// Bytes of a comment.
pub const MAX_COMMENT_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_of_ours_is_kept_as_it_is() {
        for text in [
            "",
            "keyroster:alice@example.com:0198c5c2-7f1a",
            "a b",
            "x=1,y/2+3",
        ] {
            assert_eq!(Comment::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_not_allowed_is_refused_or_replaced() {
        for (text, made) in [
            ("a\nssh-ed25519 AAAA", "a_ssh-ed25519 AAAA"),
            ("a\u{1b}[31m", "a__31m"),
            ("é", "__"),
            ("a#b\"c", "a_b_c"),
            (" a ", "a"),
            ("a\tb", "a b"),
            ("a\0b", "a_b"),
            ("<b>", "_b_"),
        ] {
            assert_eq!(Comment::parse(text), Err(CommentError), "{text:?}");
            assert_eq!(
                Comment::sanitise(text.as_bytes()).as_str(),
                made,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_long_comment_is_cut_and_then_has_no_blank_at_its_end() {
        let text = format!("{} b", "a".repeat(MAX_COMMENT_BYTES - 1));
        assert_eq!(Comment::parse(&text), Err(CommentError));
        let cut = Comment::sanitise(text.as_bytes());
        assert_eq!(cut.as_str(), "a".repeat(MAX_COMMENT_BYTES - 1));
        assert_eq!(Comment::parse(cut.as_str()), Ok(cut));
    }
}
