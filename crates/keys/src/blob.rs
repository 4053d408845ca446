//! A key blob: algorithm and base64 body alone, known to be well-formed.
//!
//! `ssh-key` reads the binary form; what it read is encoded again and must be the same bytes, so that one key has one
//! blob and one fingerprint. The text of a line is never handed to `ssh-key`: see [`crate::line`].

use std::fmt;

use keyroster_grammar::{Algorithm, LineKey, LineReason, algorithm, base64};
use ssh_key::HashAlg;
use ssh_key::public::KeyData;
use thiserror::Error;

use crate::fingerprint::Fingerprint;

/// A well-formed public key without options and without comment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyBlob {
    algorithm: Algorithm,
    base64: String,
    fingerprint: Fingerprint,
    rsa_bits: Option<u32>,
}

/// Why a text is no key blob. All of these are the fault of whoever gave the key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BlobError {
    /// A DSA key: well-formed or not, no sshd of today takes it.
    #[error("DSA keys are not accepted")]
    Dsa,
    /// A name that is no type of key.
    #[error("the key type is unknown")]
    UnknownAlgorithm,
    /// The body is not canonical base64.
    #[error("the body of the key is not valid base64")]
    Base64,
    /// Longer than any key that sshd reads.
    #[error("the key is longer than {MAX_BLOB_BYTES} bytes")]
    TooLong,
    /// The body says another type than the name before it.
    #[error("the key type before the body differs from the type inside it")]
    TypeMismatch,
    /// The body is not a key, or not in its one canonical form.
    #[error("the body of the key is malformed")]
    Malformed,
}

impl KeyBlob {
    /// Reads a name and a body.
    ///
    /// # Errors
    /// When the name is unknown, the body is not one canonical key, or the two disagree.
    pub fn parse(algorithm: &str, body: &str) -> Result<Self, BlobError> {
        if algorithm == algorithm::DSA {
            return Err(BlobError::Dsa);
        }
        let algorithm = Algorithm::from_name(algorithm).ok_or(BlobError::UnknownAlgorithm)?;
        if body.len() > MAX_BLOB_BYTES {
            return Err(BlobError::TooLong);
        }
        let bytes = base64::decode(body).ok_or(BlobError::Base64)?;
        if !names_itself(&bytes, algorithm) {
            return Err(BlobError::TypeMismatch);
        }
        let key = ssh_key::PublicKey::from_bytes(&bytes).map_err(|_| BlobError::Malformed)?;
        if key.to_bytes().ok().as_deref() != Some(bytes.as_slice()) {
            return Err(BlobError::Malformed);
        }
        Ok(Self {
            algorithm,
            base64: body.to_owned(),
            fingerprint: fingerprint_of(key.key_data()).ok_or(BlobError::Malformed)?,
            rsa_bits: rsa_bits_of(key.key_data()),
        })
    }

    /// The type of the key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The body: canonical, padded base64.
    #[must_use]
    pub fn base64(&self) -> &str {
        &self.base64
    }

    /// The key's id. For a certificate it is that of the key inside, as sshd's `%f` gives it.
    #[must_use]
    pub const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Bits of the modulus, for RSA keys and certificates of such.
    #[must_use]
    pub const fn rsa_bits(&self) -> Option<u32> {
        self.rsa_bits
    }

    /// Whether this is a certificate and not a plain key.
    #[must_use]
    pub const fn is_certificate(&self) -> bool {
        self.algorithm.is_certificate()
    }

    /// Whether the private half lives in a FIDO security key.
    #[must_use]
    pub const fn is_security_key(&self) -> bool {
        self.algorithm.is_security_key()
    }
}

impl TryFrom<&LineKey> for KeyBlob {
    type Error = BlobError;

    fn try_from(key: &LineKey) -> Result<Self, BlobError> {
        Self::parse(key.algorithm().as_str(), key.base64())
    }
}

/// Fails for what can't be the key of a line: a certificate, or an RSA key of a size that sshd does not read.
impl TryFrom<&KeyBlob> for LineKey {
    type Error = LineReason;

    fn try_from(blob: &KeyBlob) -> Result<Self, LineReason> {
        Self::parse(blob.algorithm.as_str(), &blob.base64)
    }
}

impl fmt::Display for KeyBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.base64)
    }
}

impl fmt::Debug for KeyBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBlob({} {})", self.algorithm, self.fingerprint)
    }
}

/// Whether the first field of a blob is this name.
fn names_itself(bytes: &[u8], algorithm: Algorithm) -> bool {
    let name = algorithm.as_str().as_bytes();
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return false;
    };
    usize::try_from(u32::from_be_bytes(*length)) == Ok(name.len()) && rest.starts_with(name)
}

fn fingerprint_of(key: &KeyData) -> Option<Fingerprint> {
    let fingerprint = match key {
        KeyData::Certificate(certificate) => certificate.public_key().fingerprint(HashAlg::Sha256),
        plain => plain.fingerprint(HashAlg::Sha256),
    };
    fingerprint.sha256().map(Fingerprint::from_digest)
}

fn rsa_bits_of(key: &KeyData) -> Option<u32> {
    match key {
        KeyData::Rsa(rsa) => {
            let modulus = rsa.n().as_positive_bytes()?;
            let bytes = u32::try_from(modulus.len()).ok()?;
            Some(bytes * 8 - modulus.first()?.leading_zeros())
        }
        KeyData::Certificate(certificate) => rsa_bits_of(certificate.public_key()),
        _ => None,
    }
}

/// Bytes of base64 in one key. RSA with 16384 bits, the most that sshd reads, needs 2,800; certificates a little more.
pub const MAX_BLOB_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, ED25519, RSA_1024, RSA_2047};

    #[test]
    fn every_type_that_sshd_knows_is_read_and_has_the_fingerprint_that_ssh_keygen_prints() {
        for (line, fingerprint) in testing::KEYS_AND_FINGERPRINTS {
            let (algorithm, body) = testing::split(line);
            let blob = KeyBlob::parse(algorithm, body).unwrap();
            assert_eq!(blob.algorithm().as_str(), algorithm);
            assert_eq!(blob.base64(), body);
            assert_eq!(blob.fingerprint().to_string(), fingerprint, "{algorithm}");
            assert_eq!(blob.is_security_key(), algorithm.starts_with("sk-"));
            assert_eq!(blob.is_certificate(), algorithm.contains("-cert-"));
        }
    }

    #[test]
    fn the_bits_of_an_rsa_key_are_counted_exactly() {
        for (line, bits) in [(RSA_1024, 1024), (RSA_2047, 2047)] {
            let (algorithm, body) = testing::split(line);
            assert_eq!(
                KeyBlob::parse(algorithm, body).unwrap().rsa_bits(),
                Some(bits)
            );
        }
        let (algorithm, body) = testing::split(ED25519);
        assert_eq!(KeyBlob::parse(algorithm, body).unwrap().rsa_bits(), None);
    }

    #[test]
    fn a_name_that_differs_from_the_type_inside_is_refused() {
        let (_, body) = testing::split(ED25519);
        assert_eq!(
            KeyBlob::parse("ssh-rsa", body),
            Err(BlobError::TypeMismatch)
        );
        assert_eq!(
            KeyBlob::parse("sk-ssh-ed25519@openssh.com", body),
            Err(BlobError::TypeMismatch)
        );
    }

    #[test]
    fn dsa_and_unknown_types_have_reasons_of_their_own() {
        assert_eq!(
            KeyBlob::parse("ssh-dss", "AAAAB3NzaC1kc3M="),
            Err(BlobError::Dsa)
        );
        assert_eq!(
            KeyBlob::parse("ssh-ed448", "AAAA"),
            Err(BlobError::UnknownAlgorithm)
        );
        assert_eq!(
            KeyBlob::parse("rsa-sha2-512", "AAAA"),
            Err(BlobError::UnknownAlgorithm)
        );
    }

    #[test]
    fn a_truncated_a_lengthened_and_a_non_canonical_body_are_refused() {
        let (algorithm, body) = testing::split(ED25519);
        let bytes = base64::decode(body).unwrap();
        let truncated = base64::encode(&bytes[..bytes.len() - 1]);
        let lengthened = base64::encode(&[bytes.as_slice(), b"x"].concat());
        assert_eq!(
            KeyBlob::parse(algorithm, &truncated),
            Err(BlobError::Malformed)
        );
        assert_eq!(
            KeyBlob::parse(algorithm, &lengthened),
            Err(BlobError::Malformed)
        );
        assert_eq!(
            KeyBlob::parse(algorithm, &format!("{body}=")),
            Err(BlobError::Base64)
        );
        assert_eq!(
            KeyBlob::parse(algorithm, &format!("{body}\n")),
            Err(BlobError::Base64)
        );
        assert_eq!(
            KeyBlob::parse(algorithm, &"A".repeat(MAX_BLOB_BYTES + 4)),
            Err(BlobError::TooLong)
        );
    }

    #[test]
    fn every_plain_key_goes_into_a_line_and_comes_back() {
        for (line, _) in testing::KEYS_AND_FINGERPRINTS {
            let (algorithm, body) = testing::split(line);
            let blob = KeyBlob::parse(algorithm, body).unwrap();
            match LineKey::try_from(&blob) {
                Ok(key) => assert_eq!(KeyBlob::try_from(&key), Ok(blob)),
                Err(reason) => assert_eq!(
                    (blob.is_certificate(), reason),
                    (true, LineReason::Certificate)
                ),
            }
        }
    }

    #[test]
    fn an_rsa_key_with_a_needless_leading_zero_is_refused() {
        let (algorithm, body) = testing::split(RSA_1024);
        let mut bytes = base64::decode(body).unwrap();
        // string "ssh-rsa", mpint e (3 bytes), then the length of the modulus.
        let length_at = 4 + 7 + 4 + 3;
        bytes[length_at + 3] += 1;
        bytes.insert(length_at + 4, 0);
        assert_eq!(
            KeyBlob::parse(algorithm, &base64::encode(&bytes)),
            Err(BlobError::Malformed)
        );
    }
}
