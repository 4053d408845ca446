//! The host's key and certificate: made, checked, and watched for their end.

use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use zeroize::Zeroizing;

/// A new private key and the request for its certificate. The key server decides every name in it.
#[derive(Debug)]
pub struct NewKey {
    pair: KeyPair,
}

/// A key or a request could not be made; nothing that a caller can mend.
#[derive(Debug, thiserror::Error)]
#[error("can't make a key and its certificate request: {0}")]
pub struct NewKeyError(#[from] rcgen::Error);

impl NewKey {
    /// Makes one, with the operating system's randomness.
    ///
    /// # Errors
    /// When there is none.
    pub fn generate() -> Result<Self, NewKeyError> {
        Ok(Self {
            pair: KeyPair::generate()?,
        })
    }

    /// The certificate request, PEM.
    ///
    /// # Errors
    /// When it can't be signed.
    pub fn request(&self) -> Result<String, NewKeyError> {
        Ok(CertificateParams::default()
            .serialize_request(&self.pair)?
            .pem()?)
    }

    /// The private key, PEM.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.pair.serialize_pem())
    }

    /// Whether the certificate (PEM) is for this key.
    #[must_use]
    pub fn is_in(&self, certificate: &str) -> bool {
        let Ok(certificates) = keyroster_edge::certificates_from_pem(certificate.as_bytes()) else {
            return false;
        };
        let Some(leaf) = certificates.first() else {
            return false;
        };
        let Ok((_, parsed)) = x509_parser::parse_x509_certificate(leaf) else {
            return false;
        };
        parsed.public_key().raw == self.pair.subject_public_key_info()
    }
}

/// From when until when a certificate is valid, in seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// The first second.
    pub from_s: i64,
    /// The last second.
    pub until_s: i64,
}

impl Lifetime {
    /// That of the first certificate of a PEM text; none when there is none.
    #[must_use]
    pub fn of_pem(pem: &str) -> Option<Self> {
        let certificates = keyroster_edge::certificates_from_pem(pem.as_bytes()).ok()?;
        Self::of_der(certificates.first()?)
    }

    /// That of a certificate as it travels; none when it is none.
    #[must_use]
    pub fn of_der(der: &[u8]) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
        let validity = parsed.validity();
        Some(Self {
            from_s: validity.not_before.timestamp(),
            until_s: validity.not_after.timestamp(),
        })
    }

    /// Whether it is time for the next certificate: a third of this one's life is left, or less.
    #[must_use]
    pub fn is_due(&self, now_s: i64) -> bool {
        let life = self.until_s.saturating_sub(self.from_s);
        now_s >= self.until_s.saturating_sub(life / RENEWAL_FRACTION)
    }
}

/// Which part of a certificate's life is left for renewing it.
const RENEWAL_FRACTION: i64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_knows_its_own_certificate_and_no_other() {
        let (ours, other) = (NewKey::generate().unwrap(), NewKey::generate().unwrap());
        let certificate = CertificateParams::default()
            .self_signed(&ours.pair)
            .unwrap()
            .pem();
        assert!(ours.is_in(&certificate));
        assert!(!other.is_in(&certificate));
        assert!(!ours.is_in("<html></html>"));
    }

    #[test]
    fn a_request_is_for_the_key_that_made_it_and_holds_no_private_key() {
        let key = NewKey::generate().unwrap();
        let request = key.request().unwrap();
        assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
        assert!(!format!("{key:?}{request}").contains("PRIVATE"));
    }

    #[test]
    fn renewal_is_due_when_a_third_of_the_life_is_left() {
        let lifetime = Lifetime {
            from_s: 1000,
            until_s: 1300,
        };
        assert!(!lifetime.is_due(1199));
        assert!(lifetime.is_due(1200));
        assert!(lifetime.is_due(5000));
    }
}
