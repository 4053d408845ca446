//! The bearer token: where it comes from, and that it goes nowhere else.
//!
//! It is never an argument, which every process of the machine could read, and no message, `Debug` output or error shows it.

use std::fmt;
use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use keyroster_api::{enroll, token};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::private_file::{self, Closed};
use crate::terminal;

/// A bearer token of the right form.
#[derive(Clone)]
pub(crate) struct Token(SecretString);

/// Why a text is no bearer token. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("there is no token")]
    Empty,
    #[error("this is an enrolment token, which is for hosts: `keyroster-agent enroll`")]
    Enrolment,
    #[error(
        "this is not a token: one begins with \"{}\" and is {} characters long",
        token::PREFIX,
        token::TEXT_BYTES
    )]
    Form,
}

impl Token {
    /// Reads a token; blanks and line ends around it are forgiven, for it is pasted.
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, TokenError> {
        let text = text.trim();
        let body = text.strip_prefix(token::PREFIX);
        let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        match body {
            _ if text.is_empty() => Err(TokenError::Empty),
            _ if text.starts_with(enroll::PREFIX) => Err(TokenError::Enrolment),
            Some(body) if text.len() == token::TEXT_BYTES && body.bytes().all(in_alphabet) => {
                Ok(Self(SecretString::from(text)))
            }
            _ => Err(TokenError::Form),
        }
    }

    /// The token itself, for the header and the configuration file.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

/// Reads the token from a file that nobody else can write, or from standard input for `-`.
pub(crate) fn from_file(path: &Path) -> Result<Token> {
    let shown = path.display();
    let text = if path == Path::new("-") {
        read_capped(std::io::stdin().lock(), "standard input")?
    } else {
        let file = File::open(path).map_err(|error| {
            Failure::new(
                Exit::NoInput,
                format!("can't read the token file \"{shown}\": {error}"),
            )
        })?;
        private_file::check(&file, path, "token file", Closed::ToWriters)?;
        read_capped(file, &shown.to_string())?
    };
    Token::parse(&text)
        .map_err(|error| Failure::new(Exit::Data, format!("token file \"{shown}\": {error}")))
}

/// Asks for the token where there is somebody to ask, else reads it from standard input.
pub(crate) fn ask() -> Result<Token> {
    let stdin = std::io::stdin();
    let text = if stdin.is_terminal() {
        terminal::ask_hidden("Token: ", MAX_TOKEN_FILE_BYTES)?
    } else {
        read_capped(stdin.lock(), "standard input")?
    };
    Token::parse(&text).map_err(|error| {
        Failure::new(Exit::Data, error.to_string()).hint(
            "`keyroster-server init` prints the first one; an admin makes more with `keyroster token add`",
        )
    })
}

fn read_capped(from: impl std::io::Read, what: &str) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_TOKEN_FILE_BYTES));
    let read = from
        .take(MAX_TOKEN_FILE_BYTES as u64)
        .read_to_string(&mut text);
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::new(
            Exit::NoInput,
            format!("can't read a token from \"{what}\": {error}"),
        )),
    }
}

/// Bytes that are read where a token is expected.
const MAX_TOKEN_FILE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> String {
        format!("{}{}", token::PREFIX, "aB3-_".repeat(9).get(..43).unwrap())
    }

    #[test]
    fn a_pasted_token_is_read_with_the_blanks_around_it() {
        assert_eq!(
            Token::parse(&format!(" {}\n", good())).unwrap().expose(),
            good()
        );
    }

    #[test]
    fn a_text_that_is_no_bearer_token_is_refused_without_being_repeated() {
        let cut = good()[..46].to_owned();
        let blank_inside = good().replace('3', " ");
        for (text, expected) in [
            ("", TokenError::Empty),
            (" \n", TokenError::Empty),
            ("kre1.secret.a.b", TokenError::Enrolment),
            (cut.as_str(), TokenError::Form),
            (blank_inside.as_str(), TokenError::Form),
            ("hunter2", TokenError::Form),
        ] {
            let error = Token::parse(text).unwrap_err();
            assert_eq!(error, expected);
            assert!(
                !error.to_string().contains("secret") && !error.to_string().contains("hunter2")
            );
        }
    }

    #[test]
    fn debug_output_shows_no_token() {
        assert_eq!(
            format!("{:?}", Token::parse(&good()).unwrap()),
            "Token(secret)"
        );
    }
}
