//! Another provider's command line: what stands behind `command.NAME:` in the configuration.
//!
//! ```text
//! command.opkssh: /usr/local/bin/opkssh verify %u %k %t
//! ```
//!
//! It is the form of sshd's own `AuthorizedKeysCommand`, so that the line from a provider's manual can be copied: words divided by blanks,
//! without quotes; the first an absolute path; sshd's tokens for what was asked; and the account alone where no argument is given. No shell
//! reads it. Of sshd's tokens there are those whose values this program checks before it hands them on. Any other is refused, as sshd
//! does, but here when the file is read, and in the log.

use std::fmt;
use std::path::PathBuf;

use keyroster_wire::Question;

use crate::limits::Limits;

/// Longest name of a provider, in bytes.
const NAME_MAX: usize = 32;

/// Most arguments of one command.
const ARGUMENTS_MAX: usize = 16;

/// A provider that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Provider {
    /// Its name, as in `command:NAME`.
    pub(crate) name: String,
    /// The program.
    pub(crate) program: PathBuf,
    /// What it may take.
    pub(crate) limits: Limits,
    arguments: Vec<Vec<Piece>>,
}

/// A part of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Account,
    Uid,
    KeyType,
    Key,
    Fingerprint,
}

impl Provider {
    /// Reads the value of the setting `command.NAME`.
    pub(crate) fn parse(name: &str, line: &str) -> Result<Self, ProviderError> {
        if !is_name(name) {
            return Err(ProviderError::Name);
        }
        let mut words = line.split_ascii_whitespace();
        let program = PathBuf::from(words.next().unwrap_or_default());
        if !program.is_absolute() {
            return Err(ProviderError::RelativeProgram);
        }
        let arguments = words.map(parse_argument).collect::<Result<Vec<_>, _>>()?;
        if arguments.len() > ARGUMENTS_MAX {
            return Err(ProviderError::TooManyArguments);
        }
        Ok(Self {
            name: name.to_owned(),
            program,
            limits: Limits::DEFAULT,
            arguments,
        })
    }

    /// The arguments for one question.
    pub(crate) fn arguments(&self, question: &Question<'_>) -> Vec<String> {
        if self.arguments.is_empty() {
            return vec![question.account.to_owned()];
        }
        let filled = self.arguments.iter().map(|argument| {
            let pieces = argument.iter().map(|piece| piece.fill(question));
            pieces.collect()
        });
        filled.collect()
    }
}

impl Piece {
    fn fill(&self, question: &Question<'_>) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Account => question.account.to_owned(),
            Self::Uid => question.uid.to_string(),
            Self::KeyType => question.key_type.to_owned(),
            Self::Key => question.key_base64.to_owned(),
            Self::Fingerprint => question.fingerprint.to_owned(),
        }
    }
}

/// Whether this may name a provider: small letters, digits and `-`, a letter first.
pub(crate) fn is_name(name: &str) -> bool {
    let fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= NAME_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(fit)
}

fn parse_argument(word: &str) -> Result<Vec<Piece>, ProviderError> {
    if word.contains(['"', '\'']) {
        return Err(ProviderError::Quote);
    }
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = word.chars();
    while let Some(next) = rest.next() {
        if next != '%' {
            text.push(next);
            continue;
        }
        let token = match rest.next() {
            Some('%') => {
                text.push('%');
                continue;
            }
            Some('u') => Piece::Account,
            Some('U') => Piece::Uid,
            Some('t') => Piece::KeyType,
            Some('k') => Piece::Key,
            Some('f') => Piece::Fingerprint,
            _ => return Err(ProviderError::Token),
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(token);
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// Why a text is no provider's command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProviderError {
    Name,
    RelativeProgram,
    TooManyArguments,
    Quote,
    Token,
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the name behind `command.` is not of small letters, digits and `-`",
            Self::RelativeProgram => "the program's path is not absolute",
            Self::TooManyArguments => "the program is given more than 16 arguments",
            Self::Quote => "an argument has a quote in it; words are divided by blanks alone",
            Self::Token => "a `%` begins none of `%u` `%U` `%t` `%k` `%f` `%%`",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: Question<'_> = Question {
        uid: 1000,
        account: "deploy",
        key_type: "ssh-ed25519",
        key_base64: "AAAA",
        fingerprint: "SHA256:x",
    };

    fn arguments(line: &str) -> Result<Vec<String>, ProviderError> {
        Provider::parse("x", line).map(|provider| provider.arguments(&QUESTION))
    }

    #[test]
    fn each_token_becomes_what_was_asked_inside_of_its_argument() {
        assert_eq!(
            arguments("/x verify %u %k %t --uid=%U,%f 100%%").unwrap(),
            [
                "verify",
                "deploy",
                "AAAA",
                "ssh-ed25519",
                "--uid=1000,SHA256:x",
                "100%"
            ]
        );
    }

    #[test]
    fn without_arguments_the_account_is_the_one() {
        assert_eq!(arguments("/x").unwrap(), ["deploy"]);
        assert_eq!(arguments("/x list").unwrap(), ["list"]);
    }

    #[test]
    fn what_sshd_would_choke_on_at_a_login_is_refused_when_the_file_is_read() {
        for (line, error) in [
            ("", ProviderError::RelativeProgram),
            ("opkssh verify", ProviderError::RelativeProgram),
            ("/x %h", ProviderError::Token),
            ("/x %C", ProviderError::Token),
            ("/x 5%", ProviderError::Token),
            ("/x \"%u\"", ProviderError::Quote),
            (
                "/x 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7",
                ProviderError::TooManyArguments,
            ),
        ] {
            assert_eq!(arguments(line), Err(error), "{line}");
        }
        for name in ["", "Opkssh", "9x", "a/b", "a b", &"a".repeat(NAME_MAX + 1)] {
            assert_eq!(Provider::parse(name, "/x"), Err(ProviderError::Name));
        }
    }
}
