//! Lines of principals: what `AuthorizedPrincipalsFile` holds and `AuthorizedPrincipalsCommand` prints.
//!
//! Another grammar than that of keys: a `#` ends the line wherever it stands, quotes included; the principal is what
//! follows the last blank (the last tab only where there is no blank); a carriage return belongs to it. sshd compares it
//! byte by byte.

use std::fmt;

use crate::cursor::{Cursor, is_blank};
use crate::error::{LineError, LineReason, OptionReason, RenderError};
use crate::line::{MAX_LINE_BYTES, one_line};
use crate::options::KeyOptions;
use crate::options_parse;

/// A name inside a certificate that is let in, with what it may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthorizedPrincipal {
    /// What a login by it may do. Never a certificate authority.
    pub options: KeyOptions,
    /// The name.
    pub principal: Principal,
}

/// A name that a certificate may carry, without any character that could end or split a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal(String);

impl Principal {
    /// Checks a name. `None` if it is empty, too long, or has a blank, `#`, a comma, a quote or a control character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let forbidden =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '#' | ',' | '"' | '\'');
        let fits =
            !text.is_empty() && text.len() <= MAX_PRINCIPAL_BYTES && !text.contains(forbidden);
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AuthorizedPrincipal {
    /// Prints the one line, without a line feed.
    ///
    /// # Errors
    /// When sshd would read something else than this tree, or when the line would be too long.
    pub fn render(&self) -> Result<String, RenderError> {
        let options = self.options.render();
        let line = if options.is_empty() {
            self.principal.to_string()
        } else {
            format!("{options} {}", self.principal)
        };
        if line.len() > MAX_LINE_BYTES {
            return Err(RenderError::TooLong);
        }
        match parse_principal_line(line.as_bytes()) {
            Ok(Some(read)) if read == *self => Ok(line),
            _ => Err(RenderError::NotTheSame),
        }
    }
}

/// Reads one line of principals, with or without its line feed. `None` for a blank line and for a comment.
///
/// # Errors
/// When sshd would ignore the line, or when it holds a principal that [`Principal`] does not allow.
pub fn parse_principal_line(line: &[u8]) -> Result<Option<AuthorizedPrincipal>, LineError> {
    let start = line.strip_suffix(b"\n").unwrap_or(line);
    if start.ends_with(b"\r") {
        return Err(LineError {
            reason: LineReason::Principal,
            at: start.len() - 1,
        });
    }
    let line = one_line(line)?;
    let end = line
        .iter()
        .position(|&byte| byte == b'#')
        .unwrap_or(line.len());
    let mut line = line.get(..end).unwrap_or_default();
    while let Some((&last, rest)) = line.split_last()
        && is_blank(last)
    {
        line = rest;
    }
    let mut cursor = Cursor::new(line);
    cursor.skip_blanks();
    if cursor.rest().is_empty() {
        return Ok(None);
    }
    let (options, principal) = split(cursor);
    let at = line.len() - principal.len();
    let principal = str::from_utf8(principal).ok().and_then(Principal::parse);
    let principal = principal.ok_or(LineError {
        reason: LineReason::Principal,
        at,
    })?;
    Ok(Some(AuthorizedPrincipal {
        options: parse_options(options, cursor.at())?,
        principal,
    }))
}

/// The whole line for options to be read from, if there are any, and what follows the last blank.
fn split(cursor: Cursor<'_>) -> (Option<&[u8]>, &[u8]) {
    let text = cursor.rest();
    let last = |blank| text.iter().rposition(|&byte| byte == blank);
    match last(b' ').or_else(|| last(b'\t')) {
        None => (None, text),
        Some(at) => {
            let tail = text.get(at..).unwrap_or_default();
            let blanks = tail.iter().take_while(|&&byte| is_blank(byte)).count();
            (Some(text), tail.get(blanks..).unwrap_or_default())
        }
    }
}

fn parse_options(text: Option<&[u8]>, start: usize) -> Result<KeyOptions, LineError> {
    let Some(text) = text else {
        return Ok(KeyOptions::default());
    };
    let refuse = |reason, at| LineError {
        reason: LineReason::Options(reason),
        at: start + at,
    };
    let options = options_parse::parse(&mut Cursor::new(text))
        .map_err(|error| refuse(error.reason, error.at))?;
    if options.cert_authority {
        Err(refuse(OptionReason::Unknown, 0))
    } else {
        Ok(options)
    }
}

/// Bytes of a principal.
pub const MAX_PRINCIPAL_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(line: &str) -> Result<Option<String>, LineReason> {
        let read = parse_principal_line(line.as_bytes()).map_err(|error| error.reason)?;
        Ok(read.map(|read| read.render().unwrap()))
    }

    #[test]
    fn a_line_is_a_principal_perhaps_with_options_before_it() {
        for (line, expected) in [
            ("alice", "alice"),
            ("  alice \t\n", "alice"),
            ("alice@example.com # on call", "alice@example.com"),
            ("no-pty alice", "no-pty alice"),
            ("pty,restrict\talice", "restrict alice"),
            ("command=\"a b\"   alice", "command=\"a b\" alice"),
            ("no-pty junk alice", "no-pty alice"),
        ] {
            assert_eq!(canonical(line), Ok(Some(expected.to_owned())), "{line:?}");
        }
        for line in ["", "  \n", "# alice", " #"] {
            assert_eq!(canonical(line), Ok(None), "{line:?}");
        }
    }

    #[test]
    fn a_carriage_return_a_comma_and_other_marks_are_refused() {
        for line in [
            "alice\r\n",
            "alice,bob",
            "a\"b",
            "a'b",
            "a\u{1b}b",
            "a\u{85}b",
            "a\u{a0}b",
            "command=\"a b\"",
        ] {
            assert_eq!(canonical(line), Err(LineReason::Principal), "{line:?}");
        }
        assert_eq!(canonical(&"a".repeat(256)), Err(LineReason::Principal));
    }

    #[test]
    fn options_that_sshd_refuses_here_are_refused() {
        for line in [
            "bogus alice",
            "cert-authority alice",
            "cert-authority,principals=\"a\" alice",
            "principals=\"a\" alice",
        ] {
            assert!(
                matches!(canonical(line), Err(LineReason::Options(_))),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_hash_ends_the_line_even_inside_quotes() {
        assert_eq!(
            canonical("command=\"a #b\" alice"),
            Err(LineReason::Principal)
        );
        let options = KeyOptions {
            command: crate::OptionValue::parse("a #b").ok(),
            ..KeyOptions::default()
        };
        let tree = AuthorizedPrincipal {
            options,
            principal: Principal::parse("alice").unwrap(),
        };
        assert_eq!(tree.render(), Err(RenderError::NotTheSame));
    }
}
