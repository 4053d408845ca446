//! One line of `authorized_keys`.
//!
//! sshd tries a line without options first, and only then takes its first word for options; so does this. Everything that
//! a caller may print goes through [`AuthorizedKey::render`], which reads its own line back before it lets go of it.

use std::fmt;

use crate::algorithm::{self, Algorithm};
use crate::comment::Comment;
use crate::cursor::Cursor;
use crate::error::{KeyReason, LineError, LineReason, RenderError};
use crate::key::LineKey;
use crate::options::KeyOptions;
use crate::options_parse;

/// A public key with its options: what one line says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthorizedKey {
    /// What the key may do.
    pub options: KeyOptions,
    /// The key.
    pub key: LineKey,
    /// What stands behind it, for people.
    pub comment: Comment,
}

impl AuthorizedKey {
    /// The type of the key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// The body of the key.
    #[must_use]
    pub fn base64(&self) -> &str {
        self.key.base64()
    }

    /// Prints the one line, without a line feed.
    ///
    /// # Errors
    /// When sshd would read something else than this tree, when the line would be too long, and for a certificate authority
    /// without principals.
    pub fn render(&self) -> Result<String, RenderError> {
        if self.options.cert_authority && self.options.principals.is_none() {
            return Err(RenderError::AuthorityWithoutPrincipals);
        }
        let line = self.to_string();
        if line.len() > MAX_LINE_BYTES {
            return Err(RenderError::TooLong);
        }
        match parse_line(line.as_bytes()) {
            Ok(Some(read)) if read == *self => Ok(line),
            _ => Err(RenderError::NotTheSame),
        }
    }
}

impl fmt::Display for AuthorizedKey {
    /// For people. What sshd is to read comes from [`AuthorizedKey::render`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.options.render();
        if !options.is_empty() {
            write!(f, "{options} ")?;
        }
        self.key.fmt(f)?;
        if !self.comment.is_empty() {
            write!(f, " {}", self.comment)?;
        }
        Ok(())
    }
}

/// Reads one line, with or without its line feed. `None` for a blank line and for one that begins with `#`.
///
/// # Errors
/// When sshd would ignore the line. Stricter than sshd on purpose: a NUL, control characters and bytes that are not UTF-8
/// inside options, and a line longer than [`MAX_LINE_BYTES`], are refused too.
pub fn parse_line(line: &[u8]) -> Result<Option<AuthorizedKey>, LineError> {
    let line = one_line(line)?;
    let mut cursor = Cursor::new(line);
    cursor.skip_blanks();
    if matches!(cursor.peek(), None | Some(b'#')) {
        return Ok(None);
    }
    if cursor.rest().starts_with(BYTE_ORDER_MARK) {
        return Err(LineError {
            reason: LineReason::ByteOrderMark,
            at: cursor.at(),
        });
    }
    if begins_with_key(cursor) {
        let key = read_key(&mut cursor)?;
        return Ok(Some(finish(KeyOptions::default(), key, cursor)));
    }
    let start = cursor.at();
    let options_error = |reason, at| LineError {
        reason: LineReason::Options(reason),
        at: start + at,
    };
    let mut end = cursor;
    options_parse::skip(&mut end).map_err(|reason| options_error(reason, 0))?;
    let options = options_parse::parse(&mut Cursor::new(cursor.rest()));
    end.skip_blanks();
    if !begins_with_key(end) {
        return Err(LineError {
            reason: LineReason::NoKey,
            at: end.at(),
        });
    }
    let key = read_key(&mut end)?;
    let options = options.map_err(|error| options_error(error.reason, error.at))?;
    Ok(Some(finish(options, key, end)))
}

/// The line without its end, if it is one line of a length that is read at all.
pub(crate) fn one_line(line: &[u8]) -> Result<&[u8], LineError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > MAX_LINE_BYTES {
        return Err(LineError {
            reason: LineReason::TooLong,
            at: MAX_LINE_BYTES,
        });
    }
    let found = |byte| line.iter().position(|&other| other == byte);
    if let Some(at) = found(b'\n') {
        return Err(LineError {
            reason: LineReason::SeveralLines,
            at,
        });
    }
    if let Some(at) = found(0) {
        return Err(LineError {
            reason: LineReason::Nul,
            at,
        });
    }
    Ok(line)
}

/// Whether the next word names a type of key.
fn begins_with_key(mut cursor: Cursor<'_>) -> bool {
    let Ok(name) = str::from_utf8(cursor.word()) else {
        return false;
    };
    name == algorithm::DSA || Algorithm::from_line_name(name).is_some()
}

/// Reads the name and the body of a key, and leaves the cursor behind them.
fn read_key(cursor: &mut Cursor<'_>) -> Result<LineKey, LineError> {
    let name = str::from_utf8(cursor.word()).unwrap_or_default();
    cursor.skip_blanks();
    let at = cursor.at();
    let body = str::from_utf8(cursor.word()).map_err(|_| LineError {
        reason: LineReason::Key(KeyReason::Base64),
        at,
    })?;
    LineKey::parse(name, body).map_err(|reason| LineError { reason, at })
}

fn finish(options: KeyOptions, key: LineKey, cursor: Cursor<'_>) -> AuthorizedKey {
    AuthorizedKey {
        options,
        key,
        comment: Comment::sanitise(cursor.rest()),
    }
}

/// Bytes of one line, without its line feed. sshd has no limit; an RSA key of 16384 bits needs 2,800.
pub const MAX_LINE_BYTES: usize = 8 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
