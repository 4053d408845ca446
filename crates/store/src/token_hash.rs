//! What is kept of a token: enough to know it again, not enough to use it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// The SHA-256 of a token's text. Tokens are random and long, so that a plain hash can't be turned back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(String);

impl TokenHash {
    /// Hashes a token, given by the bytes of its secret part or of its text, but always the same of the two.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        let digest = Sha256::digest(secret);
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Reads the text form: 64 digits of lower-case hexadecimal.
    ///
    /// # Errors
    /// When it is not of this form.
    pub fn parse(text: &str) -> Result<Self, TokenHashError> {
        let hexadecimal = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if hexadecimal && text.len() == TEXT_BYTES {
            Ok(Self(text.to_owned()))
        } else {
            Err(TokenHashError)
        }
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no hash of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the hash of a token is {TEXT_BYTES} digits of lower-case hexadecimal")]
pub struct TokenHashError;

impl FromStr for TokenHash {
    type Err = TokenHashError;

    fn from_str(text: &str) -> Result<Self, TokenHashError> {
        Self::parse(text)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// Bytes of the text form.
const TEXT_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_sha_256_which_debug_output_keeps_to_itself() {
        let hash = TokenHash::of(b"abc");
        assert_eq!(
            hash.as_str(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(format!("{hash:?}"), "TokenHash(…)");
        assert_eq!(TokenHash::parse(hash.as_str()), Ok(hash));
    }

    #[test]
    fn a_text_of_another_form_is_no_hash() {
        for text in [
            "",
            "00",
            &"g".repeat(64),
            &"A".repeat(64),
            &"0".repeat(65),
            &"é".repeat(32),
        ] {
            assert_eq!(TokenHash::parse(text), Err(TokenHashError));
        }
    }
}
