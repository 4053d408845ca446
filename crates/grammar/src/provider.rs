//! Lines that another provider's key command printed.
//!
//! sshd allows one key command, so ours runs the others. Their lines are never passed through: each is parsed, held
//! against the key that was offered, and printed again from its tree, with exactly the meaning that it had. What stood in
//! its comment is not repeated.
//!
//! For a plain key sshd uses lines that are not `cert-authority` and hold that key. For a certificate it uses
//! `cert-authority` lines that hold the key which *signed* it, from a key command as well as from a file; the offered key
//! itself, given as a plain line, lets no certificate in.

use crate::algorithm::Algorithm;
use crate::base64;
use crate::comment::Comment;
use crate::error::{LineError, RenderError};
use crate::key::Fields;
use crate::line::{AuthorizedKey, parse_line};
use crate::principals::parse_principal_line;

/// The key that a client offered, as sshd hands it over in `%t` and `%k`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferedKey {
    /// A plain key.
    Plain {
        /// Its type.
        algorithm: Algorithm,
        /// Its body.
        base64: String,
    },
    /// A certificate, of which only the key that signed it matters here.
    SignedBy {
        /// The body of that key.
        base64: String,
    },
}

/// What to do with one line of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Print this instead.
    Print(String),
    /// Leave it out: blank, a comment, or about another key.
    Skip,
    /// Leave it out and log why: sshd would ignore it, or it can't be printed safely.
    Refuse(Refusal),
}

/// Why a provider's line was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It was not understood.
    Line(LineError),
    /// It was understood, but is never printed.
    Render(RenderError),
}

impl OfferedKey {
    /// Reads what sshd hands over. `None` if it is no key or certificate of a known type.
    #[must_use]
    pub fn parse(name: &str, body: &str) -> Option<Self> {
        let algorithm = Algorithm::from_name(name)?;
        let bytes = base64::decode(body)?;
        let mut fields = Fields::new(&bytes);
        if fields.next()? != name.as_bytes() {
            return None;
        }
        if !algorithm.is_certificate() {
            return Some(Self::Plain {
                algorithm,
                base64: body.to_owned(),
            });
        }
        let signer = signer_of(algorithm, fields)?;
        Some(Self::SignedBy {
            base64: base64::encode(signer),
        })
    }

    /// Whether sshd would hold this line against what was offered.
    #[must_use]
    pub fn concerns(&self, line: &AuthorizedKey) -> bool {
        let is_authority = line.options.cert_authority;
        match self {
            Self::Plain { algorithm, base64 } => {
                !is_authority && line.algorithm() == *algorithm && line.base64() == base64
            }
            Self::SignedBy { base64 } => is_authority && line.base64() == base64,
        }
    }
}

/// Decides what becomes of one line of a provider's key command.
pub fn rerender_key_line(line: &[u8], offered: &OfferedKey, comment: &Comment) -> Verdict {
    let mut key = match parse_line(line) {
        Ok(Some(key)) => key,
        Ok(None) => return Verdict::Skip,
        Err(error) => return Verdict::Refuse(Refusal::Line(error)),
    };
    if !offered.concerns(&key) {
        return Verdict::Skip;
    }
    key.comment = comment.clone();
    verdict(key.render())
}

/// Decides what becomes of one line of a provider's principals command.
pub fn rerender_principal_line(line: &[u8]) -> Verdict {
    match parse_principal_line(line) {
        Ok(Some(principal)) => verdict(principal.render()),
        Ok(None) => Verdict::Skip,
        Err(error) => Verdict::Refuse(Refusal::Line(error)),
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(error) => error.fmt(f),
            Self::Render(error) => error.fmt(f),
        }
    }
}

fn verdict(rendered: Result<String, RenderError>) -> Verdict {
    match rendered {
        Ok(line) => Verdict::Print(line),
        Err(error) => Verdict::Refuse(Refusal::Render(error)),
    }
}

/// The key that signed a certificate, whose fields behind its name follow.
fn signer_of(algorithm: Algorithm, mut fields: Fields<'_>) -> Option<&[u8]> {
    let public_fields = match algorithm {
        Algorithm::Ed25519Certificate => 1,
        Algorithm::SkEcdsaP256Certificate => 3,
        _ => 2,
    };
    let nonce = 1;
    for _ in 0..nonce + public_fields {
        fields.next()?;
    }
    fields.skip(SERIAL_BYTES + TYPE_BYTES)?;
    let key_id_and_principals = 2;
    for _ in 0..key_id_and_principals {
        fields.next()?;
    }
    fields.skip(VALIDITY_BYTES)?;
    let critical_extensions_reserved = 3;
    for _ in 0..critical_extensions_reserved {
        fields.next()?;
    }
    fields.next()
}

/// Bytes of a certificate's serial number.
const SERIAL_BYTES: usize = 8;
/// Bytes of its type: user or host.
const TYPE_BYTES: usize = 4;
/// Bytes of its two limits of validity.
const VALIDITY_BYTES: usize = 16;
