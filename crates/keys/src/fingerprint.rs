//! The id of a key: `SHA256:` and 43 characters of unpadded base64.
//!
//! The bytes are kept, not the text, so that equality, order and hashing know no spelling. SHA-512 and MD5 fingerprints
//! are other names for the same key and are refused: a key has one id.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The SHA-256 fingerprint of a key blob.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; FINGERPRINT_BYTES]);

/// The text is no fingerprint: say so, and that `ssh-keygen -l` prints one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a fingerprint is 'SHA256:' followed by 43 characters of unpadded base64")]
pub struct FingerprintError;

impl Fingerprint {
    /// Reads the text form.
    ///
    /// # Errors
    /// When the text is not exactly that form.
    pub fn parse(text: &str) -> Result<Self, FingerprintError> {
        match ssh_key::Fingerprint::from_str(text)
            .ok()
            .and_then(ssh_key::Fingerprint::sha256)
        {
            Some(bytes) if Self(bytes).to_string() == text => Ok(Self(bytes)),
            _ => Err(FingerprintError),
        }
    }

    /// The digest itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; FINGERPRINT_BYTES] {
        &self.0
    }

    /// The fingerprint of the key whose blob has this SHA-256.
    #[must_use]
    pub const fn from_digest(digest: [u8; FINGERPRINT_BYTES]) -> Self {
        Self(digest)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ssh_key::Fingerprint::Sha256(self.0).fmt(f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Fingerprint {
    type Error = FingerprintError;

    fn try_from(text: &str) -> Result<Self, FingerprintError> {
        Self::parse(text)
    }
}

/// Bytes of a SHA-256 digest.
pub const FINGERPRINT_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "SHA256:Nh0Me49Zh9fDw/VYUfq43IJmI1T+XrjiYONPND8GzaM";

    #[test]
    fn the_text_form_round_trips() {
        let fingerprint = Fingerprint::parse(TEXT).unwrap();
        assert_eq!(fingerprint.to_string(), TEXT);
        assert_eq!(format!("{fingerprint:?}"), format!("Fingerprint({TEXT})"));
    }

    #[test]
    fn other_digests_padding_other_case_and_spare_bits_are_refused() {
        let padded = format!("{TEXT}=");
        let lower = TEXT.to_lowercase();
        let spare_bits = format!("{}N", TEXT.strip_suffix('M').unwrap());
        let sha512 = format!("SHA512:{}", "A".repeat(86));
        let md5 = "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48";
        for text in [
            padded.as_str(),
            &lower,
            &spare_bits,
            &sha512,
            md5,
            "SHA256:",
            "",
            "SHA256:AAAA",
        ] {
            assert_eq!(Fingerprint::parse(text), Err(FingerprintError), "{text}");
        }
    }
}
