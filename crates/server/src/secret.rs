//! Bearer tokens and enrolment secrets: made here, shown once, kept as hashes.
//!
//! The hash is a plain SHA-256 and not one made slow: what it hides are 160 random bits and more, which nobody guesses. It is
//! the key by which the database finds a token, so that no secret is ever compared byte by byte: how long a search by hash
//! takes says nothing about the text that was hashed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyroster_api::{enroll, token};
use keyroster_store::TokenHash;
use zeroize::Zeroizing;

use crate::random::{Random, RandomError, random_bytes};

/// A new bearer token: the text to show, and what to store.
///
/// # Errors
/// When there is no randomness.
pub fn new_bearer(random: &dyn Random) -> Result<(Zeroizing<String>, TokenHash), RandomError> {
    let secret = Zeroizing::new(random_bytes::<{ token::SECRET_BYTES }>(random)?);
    let text = Zeroizing::new(format!(
        "{}{}",
        token::PREFIX,
        URL_SAFE_NO_PAD.encode(secret.as_slice())
    ));
    Ok((text, TokenHash::of(secret.as_slice())))
}

/// The hash of a bearer token's text; `None` when it is no bearer token at all.
#[must_use]
pub fn bearer_hash(text: &str) -> Option<TokenHash> {
    let secret = secret_bytes::<{ token::SECRET_BYTES }>(text.strip_prefix(token::PREFIX)?)?;
    Some(TokenHash::of(secret.as_slice()))
}

/// The hash of an enrolment secret's text; `None` when it is no such secret.
#[must_use]
pub fn enrolment_hash(text: &str) -> Option<TokenHash> {
    secret_bytes::<{ enroll::SECRET_BYTES }>(text).map(|secret| TokenHash::of(secret.as_slice()))
}

/// A new enrolment token: the parts to show, and what to store.
///
/// # Errors
/// When there is no randomness.
pub fn new_enrolment(
    random: &dyn Random,
) -> Result<(Zeroizing<[u8; enroll::SECRET_BYTES]>, TokenHash), RandomError> {
    let secret = Zeroizing::new(random_bytes(random)?);
    let hash = TokenHash::of(secret.as_slice());
    Ok((secret, hash))
}

fn secret_bytes<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    // A text of another length is refused before a decoder spends time on it.
    if text.len() != N.div_ceil(3) * 4 - (3 - N % 3) % 3 {
        return None;
    }
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::OsRandom;

    #[test]
    fn a_new_token_is_found_again_by_its_text_alone() {
        let (text, hash) = new_bearer(&OsRandom).unwrap();
        assert_eq!(text.len(), token::TEXT_BYTES);
        assert_eq!(bearer_hash(&text), Some(hash.clone()));
        assert_ne!(new_bearer(&OsRandom).unwrap().1, hash);
    }

    #[test]
    fn what_is_no_token_has_no_hash() {
        let (text, _) = new_bearer(&OsRandom).unwrap();
        for bad in [
            "",
            "krt_",
            &text[4..],
            &format!("{}A", *text),
            &text[..46],
            &text.replace("krt_", "krT_"),
        ] {
            assert_eq!(bearer_hash(bad), None, "{bad}");
        }
        assert!(enrolment_hash(&"A".repeat(27)).is_some());
        assert_eq!(enrolment_hash(&"A".repeat(28)), None);
    }

    #[test]
    fn without_randomness_there_is_no_token() {
        struct Dry;
        impl Random for Dry {
            fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
                Err(RandomError)
            }
        }
        assert_eq!(new_bearer(&Dry).unwrap_err(), RandomError);
    }
}
