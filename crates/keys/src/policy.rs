//! Which keys are acceptable.
//!
//! Apart from parsing: `ssh-key` and sshd both read keys that a careful site refuses, and what is refused differs from
//! site to site.

use keyroster_grammar::Algorithm;
use thiserror::Error;

use crate::blob::KeyBlob;

/// The rule that a key is held against when it is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// The least bits of an RSA modulus.
    pub min_rsa_bits: u32,
    /// The types that are accepted.
    pub allowed: Vec<Algorithm>,
}

/// Which rule a key broke. Tell its owner; another key is needed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyViolation {
    /// A certificate where a plain key is wanted.
    #[error("a certificate can't be added as a key")]
    Certificate,
    /// A type that the policy leaves out.
    #[error("keys of type '{algorithm}' are not accepted")]
    Algorithm {
        /// The key's type.
        algorithm: Algorithm,
    },
    /// An RSA key that is too short.
    #[error("an RSA key needs at least {least} bits, this one has {bits}")]
    RsaTooShort {
        /// The key's bits.
        bits: u32,
        /// What the policy asks for.
        least: u32,
    },
}

impl KeyPolicy {
    /// Holds a key against the policy.
    ///
    /// # Errors
    /// The first rule that the key breaks.
    pub fn check(&self, blob: &KeyBlob) -> Result<(), PolicyViolation> {
        if blob.is_certificate() {
            return Err(PolicyViolation::Certificate);
        }
        let algorithm = blob.algorithm();
        if !self.allowed.contains(&algorithm) {
            return Err(PolicyViolation::Algorithm { algorithm });
        }
        match blob.rsa_bits() {
            Some(bits) if bits < self.min_rsa_bits => Err(PolicyViolation::RsaTooShort {
                bits,
                least: self.min_rsa_bits,
            }),
            _ => Ok(()),
        }
    }
}

impl Default for KeyPolicy {
    fn default() -> Self {
        Self {
            min_rsa_bits: DEFAULT_MIN_RSA_BITS,
            allowed: Algorithm::ALL
                .into_iter()
                .filter(|algorithm| !algorithm.is_certificate())
                .collect(),
        }
    }
}

/// Bits of an RSA modulus below which a key is refused, unless a policy says otherwise.
pub const DEFAULT_MIN_RSA_BITS: u32 = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, ED25519, ED25519_CERTIFICATE, RSA_1024, RSA_2047, RSA_2048};

    fn blob(line: &str) -> KeyBlob {
        let (algorithm, body) = testing::split(line);
        KeyBlob::parse(algorithm, body).unwrap()
    }

    #[test]
    fn the_default_takes_rsa_from_2048_bits_on_and_not_one_bit_less() {
        let policy = KeyPolicy::default();
        assert_eq!(policy.check(&blob(RSA_2048)), Ok(()));
        for (line, bits) in [(RSA_2047, 2047), (RSA_1024, 1024)] {
            let violation = PolicyViolation::RsaTooShort { bits, least: 2048 };
            assert_eq!(policy.check(&blob(line)), Err(violation));
        }
    }

    #[test]
    fn the_default_takes_every_plain_type_and_no_certificate() {
        let policy = KeyPolicy::default();
        for (line, _) in testing::KEYS_AND_FINGERPRINTS {
            let blob = blob(line);
            let short = blob
                .rsa_bits()
                .is_some_and(|bits| bits < DEFAULT_MIN_RSA_BITS);
            assert_eq!(
                policy.check(&blob).is_ok(),
                !blob.is_certificate() && !short,
                "{line}"
            );
        }
        assert_eq!(
            policy.check(&blob(ED25519_CERTIFICATE)),
            Err(PolicyViolation::Certificate)
        );
    }

    #[test]
    fn a_type_that_the_policy_leaves_out_is_refused() {
        let policy = KeyPolicy {
            allowed: vec![Algorithm::SkEd25519],
            ..KeyPolicy::default()
        };
        let violation = PolicyViolation::Algorithm {
            algorithm: Algorithm::Ed25519,
        };
        assert_eq!(policy.check(&blob(ED25519)), Err(violation));
    }
}
