use std::fmt;
use std::str::FromStr;

use crate::ModelError;
use crate::text::disturbs_a_line;

/// The one command that a login may run.
///
/// Kept as it was typed: sshd hands it to the account's shell, so that nothing in it may be mended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForcedCommand(Box<str>);

impl ForcedCommand {
    /// Refuses what can't stand between the quotes of a line.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        if text.trim().is_empty() {
            return Err(ModelError::Empty { what: "command" });
        }
        if text.len() > MAX_COMMAND_BYTES {
            return Err(ModelError::TooLong {
                what: "command",
                length: text.len(),
                max: MAX_COMMAND_BYTES,
            });
        }
        check_quotable("command", text)?;
        Ok(Self(text.into()))
    }

    /// The command.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ForcedCommand {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        Self::parse(text)
    }
}

impl fmt::Display for ForcedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Refuses a value that sshd could not read back from between quotes, or that a person could not read safely.
pub(crate) fn check_quotable(what: &'static str, value: &str) -> Result<(), ModelError> {
    if let Some(character) = value.chars().find(|c| disturbs_a_line(*c)) {
        return Err(ModelError::Character {
            what,
            character,
            rule: "control characters are not accepted",
        });
    }
    if value.ends_with('\\') {
        return Err(ModelError::Character {
            what,
            character: '\\',
            rule: "sshd can't read a value that ends in a backslash",
        });
    }
    Ok(())
}

/// Bytes in a forced command.
pub const MAX_COMMAND_BYTES: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_keeps_every_byte_that_a_shell_gives_meaning_to() {
        for text in [
            "/usr/bin/backup --all",
            r##"sh -c "echo \"#1\" 'a,b' \\x""##,
            " leading",
            "# not a comment",
        ] {
            assert_eq!(ForcedCommand::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_command_that_a_line_can_not_carry_is_refused() {
        for text in [
            "",
            " ",
            "a\nb",
            "a\0",
            "a\tb",
            "a\\",
            "a\u{202e}",
            &"x".repeat(MAX_COMMAND_BYTES + 1),
        ] {
            assert!(ForcedCommand::parse(text).is_err(), "{text:?}");
        }
    }
}
