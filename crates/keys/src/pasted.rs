//! A public key that a person pasted: `type base64 [comment]`, one line, nothing more.
//!
//! Not the grammar of [`crate::line`]: options have no business in a pasted key, for what a key may do is the grant's to
//! say. People paste private keys, so that is looked for first, and no error repeats what was pasted.

use keyroster_grammar::{Algorithm, algorithm};
use thiserror::Error;

use crate::blob::{BlobError, KeyBlob};

/// A pasted key: its blob, and the comment that stood behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastedKey {
    /// The key itself.
    pub blob: KeyBlob,
    /// The comment, which names the key for people and is never printed for sshd. Empty when there was none.
    pub comment: String,
}

/// Why a text is no pasted public key. None of these repeats any part of the text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PastedKeyError {
    /// A private key: tell its owner that it has now been shown to someone, and to make a new one.
    #[error(
        "this is a private key: it was not stored, but treat it as disclosed and make a new one"
    )]
    PrivateKey,
    /// Nothing but blanks.
    #[error("no key was given")]
    Empty,
    /// More than any key needs.
    #[error("the key is longer than {MAX_PASTED_BYTES} bytes")]
    TooLong,
    /// A second line: give the keys one at a time.
    #[error("more than one line was given: a public key is one line")]
    SeveralLines,
    /// A NUL, CR, escape or other control character.
    #[error("the key has a control character at byte {position}")]
    ControlCharacter {
        /// Where it stands, in bytes from 0.
        position: usize,
    },
    /// Options before the key: they belong into the grant.
    #[error("key options stand before the key: they belong into a grant")]
    Options,
    /// Not `type base64 [comment]` at all.
    #[error("this is not a public key: it should read 'type base64 comment'")]
    NotAKey,
    /// A certificate: its owner should give the plain key, from the `.pub` file without `-cert`.
    #[error("this is a certificate, not a public key")]
    Certificate,
    /// The comment is longer than is kept.
    #[error("the comment is longer than {MAX_COMMENT_BYTES} bytes")]
    CommentTooLong,
    /// The blob itself is bad.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// Reads one pasted public key. A single newline at the end is forgiven, for every `.pub` file has one.
///
/// # Errors
/// When the text is anything but one line with one plain public key.
pub fn parse_public_key(text: &str) -> Result<PastedKey, PastedKeyError> {
    if looks_private(text) {
        return Err(PastedKeyError::PrivateKey);
    }
    if text.len() > MAX_PASTED_BYTES {
        return Err(PastedKeyError::TooLong);
    }
    let line = one_line(text)?.trim_matches([' ', '\t']);
    let (name, rest) = line
        .split_once([' ', '\t'])
        .ok_or(PastedKeyError::NotAKey)?;
    let rest = rest.trim_start_matches([' ', '\t']);
    let (body, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    if name != algorithm::DSA && Algorithm::from_name(name).is_none() {
        return Err(explain_unknown_name(line));
    }
    let comment = comment.trim_matches([' ', '\t']);
    if comment.len() > MAX_COMMENT_BYTES {
        return Err(PastedKeyError::CommentTooLong);
    }
    let blob = KeyBlob::parse(name, body)?;
    if blob.is_certificate() {
        return Err(PastedKeyError::Certificate);
    }
    Ok(PastedKey {
        blob,
        comment: comment.to_owned(),
    })
}

/// The text without its final newline, if nothing in it could end or cut a line.
fn one_line(text: &str) -> Result<&str, PastedKeyError> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.trim().is_empty() {
        return Err(PastedKeyError::Empty);
    }
    if line.contains('\n') {
        return Err(PastedKeyError::SeveralLines);
    }
    match line
        .char_indices()
        .find(|&(_, c)| c != '\t' && forbidden(c))
    {
        None => Ok(line),
        Some((position, _)) => Err(PastedKeyError::ControlCharacter { position }),
    }
}

/// Control characters, and what a terminal or a reader of Unicode takes for a line end or for a change of direction.
fn forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether any part of the text is, or is cut out of, a private key.
fn looks_private(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    upper.contains("PRIVATE KEY")
        || upper.contains("PRIVATE-LINES")
        || upper.contains("PUTTY-USER-KEY-FILE")
        || text.contains(OPENSSH_PRIVATE_MAGIC_BASE64)
}

fn explain_unknown_name(line: &str) -> PastedKeyError {
    let names_a_key = line
        .split([' ', '\t', ','])
        .skip(1)
        .any(|word| Algorithm::from_name(word).is_some());
    if names_a_key {
        PastedKeyError::Options
    } else {
        PastedKeyError::NotAKey
    }
}

/// How the body of an OpenSSH private key begins: base64 of `openssh-key-v1`, without its last, shifting character.
const OPENSSH_PRIVATE_MAGIC_BASE64: &str = "b3BlbnNzaC1rZXktdj";
/// Bytes of one pasted key with its comment.
pub const MAX_PASTED_BYTES: usize = 16 * 1024;
/// Bytes of a comment.
pub const MAX_COMMENT_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{DSA, ED25519, ED25519_CERTIFICATE};

    #[test]
    fn a_pub_file_is_taken_with_or_without_comment_and_final_newline() {
        for text in [
            ED25519.to_owned(),
            format!("{ED25519}\n"),
            format!("  {ED25519}\r\n"),
            format!("{ED25519}  "),
        ] {
            assert_eq!(parse_public_key(&text).unwrap().comment, "", "{text:?}");
        }
        let pasted = parse_public_key(&format!("{ED25519}  alice's laptop \n")).unwrap();
        assert_eq!(pasted.comment, "alice's laptop");
        assert_eq!(pasted.blob.to_string(), ED25519);
    }

    #[test]
    fn private_keys_of_every_make_are_recognised_and_never_repeated() {
        for text in [
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n-----END OPENSSH PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\nSECRETSECRET",
            "-----begin encrypted private key-----",
            "PuTTY-User-Key-File-3: ssh-ed25519",
            "Private-Lines: 1 SECRETSECRET",
            "ssh-ed25519 b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ SECRETSECRET",
        ] {
            let error = parse_public_key(text).unwrap_err();
            assert_eq!(error, PastedKeyError::PrivateKey, "{text}");
            assert!(!format!("{error} {error:?}").contains("SECRET"));
        }
    }

    #[test]
    fn a_second_line_and_control_characters_are_refused() {
        assert_eq!(
            parse_public_key(&format!("{ED25519} a\n{ED25519} b")),
            Err(PastedKeyError::SeveralLines)
        );
        assert_eq!(
            parse_public_key(&format!("{ED25519}\n\n")),
            Err(PastedKeyError::SeveralLines)
        );
        for bad in [
            "\r",
            "\0",
            "\u{1b}[31m",
            "\u{7f}",
            "\u{85}",
            "\u{2028}",
            "\u{202e}",
            "\u{feff}",
        ] {
            let error = parse_public_key(&format!("{ED25519} a{bad}b")).unwrap_err();
            assert_eq!(
                error,
                PastedKeyError::ControlCharacter {
                    position: ED25519.len() + 2
                },
                "{bad:?}"
            );
        }
    }

    #[test]
    fn options_dsa_certificates_and_nonsense_have_reasons_of_their_own() {
        assert_eq!(
            parse_public_key(&format!("command=\"id\" {ED25519}")),
            Err(PastedKeyError::Options)
        );
        assert_eq!(
            parse_public_key(&format!("from=\"a b\",pty {ED25519}")),
            Err(PastedKeyError::Options)
        );
        assert_eq!(
            parse_public_key(DSA),
            Err(PastedKeyError::Blob(BlobError::Dsa))
        );
        assert_eq!(
            parse_public_key(ED25519_CERTIFICATE),
            Err(PastedKeyError::Certificate)
        );
        assert_eq!(parse_public_key("hello"), Err(PastedKeyError::NotAKey));
        assert_eq!(
            parse_public_key("hello world"),
            Err(PastedKeyError::NotAKey)
        );
        assert_eq!(parse_public_key(" \n"), Err(PastedKeyError::Empty));
        assert_eq!(parse_public_key(""), Err(PastedKeyError::Empty));
    }

    #[test]
    fn over_long_texts_and_comments_are_refused() {
        assert_eq!(
            parse_public_key(&"a".repeat(MAX_PASTED_BYTES + 1)),
            Err(PastedKeyError::TooLong)
        );
        let comment = "c".repeat(MAX_COMMENT_BYTES + 1);
        assert_eq!(
            parse_public_key(&format!("{ED25519} {comment}")),
            Err(PastedKeyError::CommentTooLong)
        );
    }
}
