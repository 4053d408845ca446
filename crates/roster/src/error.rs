use std::fmt;

/// A value that the roster's model refuses.
///
/// Every variant is the sender's mistake: answer with a 4xx that carries the message, and store nothing. The message
/// quotes a value only where the value is known to be printable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// An id is not a UUID in its lower-case text form. Ask for the id again.
    #[error(
        "{what} is not an id of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in lower-case hexadecimal"
    )]
    Id {
        /// What the id names, such as `host id`.
        what: &'static str,
    },
    /// A number lies outside its bounds. Name the bounds to the sender.
    #[error("{what} {value} is not within {min}..={max}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// What it was.
        value: u64,
        /// The least that is accepted.
        min: u64,
        /// The most that is accepted.
        max: u64,
    },
    /// A text is longer than its limit.
    #[error("{what} is {length} bytes long, at most {max} are accepted")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A text that must say something is empty or blank.
    #[error("{what} is empty")]
    Empty {
        /// Which text.
        what: &'static str,
    },
    /// A text holds a character that is not accepted there. The character is named by number and never echoed.
    #[error("{what} holds the character U+{:04X}: {rule}", u32::from(*character))]
    Character {
        /// Which text.
        what: &'static str,
        /// The character.
        character: char,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// An address range is malformed or not in the form that sshd reads.
    #[error("\"{}\" is no usable address range: {rule}", Printable(text))]
    Cidr {
        /// What was given.
        text: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A list has too many entries.
    #[error("{what} has {count} entries, at most {max} are accepted")]
    TooMany {
        /// Which list.
        what: &'static str,
        /// How many there were.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A key option is unknown, not allowed in a grant, malformed or contradicts another one.
    #[error("option \"{}\" is refused: {rule}", Printable(option))]
    Option {
        /// The option's name or text.
        option: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The forced command can't be written into a line.
    #[error("command is refused: {rule}")]
    Command {
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The parts of a grant contradict each other.
    #[error("grant is refused: {rule}")]
    Grant {
        /// The rule that it breaks.
        rule: &'static str,
    },
}

/// Shows what a person typed with everything unprintable escaped and the length capped, so that a message stays one line.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        for character in characters.by_ref().take(MAX_QUOTED_CHARS) {
            match character {
                ' '..='~' if character != '"' => write!(f, "{character}")?,
                other => write!(f, "{}", other.escape_unicode())?,
            }
        }
        if characters.next().is_some() {
            write!(f, "…")
        } else {
            Ok(())
        }
    }
}

/// Characters of a refused value that a message quotes.
const MAX_QUOTED_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_value_is_quoted_on_one_line_and_capped() {
        let error = ModelError::Option {
            option: format!("a\n\"{}", "x".repeat(500)),
            rule: "unknown",
        };
        let message = error.to_string();
        assert!(
            message.starts_with("option \"a\\u{a}\\u{22}xxx"),
            "{message}"
        );
        assert!(!message.contains('\n'));
        assert!(message.len() < 200);
    }
}
