//! What a person is told when a run fails: what happened to which object, and what to do about it.

use std::fmt;

use crate::exit::Exit;
use crate::text::printable;

/// A failure with its exit code. `Display` writes the lines that a person reads, with nothing in them raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    exit: Exit,
    what: String,
    hint: Option<String>,
}

/// The result of everything that can fail here.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            hint: None,
        }
    }

    /// The same failure with a hint.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure with a hint, unless it has one.
    #[must_use]
    pub(crate) fn or_hint(self, hint: &str) -> Self {
        match self.hint {
            Some(_) => self,
            None => self.hint(hint),
        }
    }

    /// What happened, as a part of a longer sentence.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", printable(&self.what))?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {}", printable(hint)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_for_what_happened_and_one_for_what_to_do() {
        let failure = Failure::new(Exit::Refused, "there is no user \"bob\"").hint("list them");
        assert_eq!(
            failure.to_string(),
            "error: there is no user \"bob\"\nhint: list them"
        );
    }

    #[test]
    fn a_message_from_elsewhere_can_neither_add_a_line_nor_move_the_cursor() {
        let failure = Failure::new(Exit::Refused, "no\nhint: run this\u{1b}[2J").hint("a\rb");
        assert_eq!(
            failure.to_string(),
            "error: no\\u{a}hint: run this\\u{1b}[2J\nhint: a\\u{d}b"
        );
    }
}
