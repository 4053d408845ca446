//! A host's certificate request, parsed at the door.

use keyroster_api::enroll::MAX_CSR_BYTES;
use rcgen::{CertificateSigningRequestParams, PublicKeyData, SignatureAlgorithm};
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject as _;
use thiserror::Error;

/// A request whose signature holds: whoever sent it has the private key. Of what it asks for, only the key counts.
pub struct CertificateRequest(CertificateSigningRequestParams);

/// A request that is refused. The host has to make another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestError {
    /// Longer than any sound one.
    #[error("the certificate request is longer than {MAX_CSR_BYTES} bytes")]
    TooLong,
    /// No PEM, no PKCS #10, or with extensions that are not known.
    #[error("the certificate request can't be read: PEM of PKCS #10 is wanted")]
    Malformed,
    /// Its signature does not hold.
    #[error("the certificate request is not signed with the key in it")]
    Signature,
    /// A key of a kind that is not taken.
    #[error(
        "the certificate request has a key that is neither ECDSA on P-256 or P-384 nor Ed25519"
    )]
    Key,
}

impl CertificateRequest {
    /// Reads PEM and checks the signature.
    ///
    /// # Errors
    /// When it is malformed, not signed with its own key, or the key is of another kind.
    pub fn parse(pem: &str) -> Result<Self, RequestError> {
        if pem.len() > MAX_CSR_BYTES {
            return Err(RequestError::TooLong);
        }
        let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| RequestError::Malformed)?;
        let request =
            CertificateSigningRequestParams::from_der(&der).map_err(|error| match error {
                rcgen::Error::InvalidCertificationRequestSignature => RequestError::Signature,
                rcgen::Error::UnsupportedSignatureAlgorithm => RequestError::Key,
                _ => RequestError::Malformed,
            })?;
        if accepted(&request.public_key) {
            Ok(Self(request))
        } else {
            Err(RequestError::Key)
        }
    }

    pub(crate) fn public_key(&self) -> &impl PublicKeyData {
        &self.0.public_key
    }
}

impl std::fmt::Debug for CertificateRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CertificateRequest")
    }
}

/// The library names the key by the algorithm of the signature, which need not be that of the key (P-384 signs with SHA-256
/// too): the length tells them apart, and what does not fit would become a certificate that nobody can read.
fn accepted(key: &rcgen::PublicKey) -> bool {
    let kinds: [(&SignatureAlgorithm, usize); 3] = [
        (&rcgen::PKCS_ECDSA_P256_SHA256, P256_POINT_BYTES),
        (&rcgen::PKCS_ECDSA_P384_SHA384, P384_POINT_BYTES),
        (&rcgen::PKCS_ED25519, ED25519_BYTES),
    ];
    kinds
        .iter()
        .any(|(algorithm, bytes)| key.algorithm() == *algorithm && key.der_bytes().len() == *bytes)
}

const P256_POINT_BYTES: usize = 65;
const P384_POINT_BYTES: usize = 97;
const ED25519_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pem(algorithm: &'static SignatureAlgorithm) -> String {
        let key = KeyPair::generate_for(algorithm).unwrap();
        CertificateParams::default()
            .serialize_request(&key)
            .unwrap()
            .pem()
            .unwrap()
    }

    #[test]
    fn the_three_kinds_of_keys_are_taken() {
        for algorithm in [
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ED25519,
        ] {
            assert!(
                CertificateRequest::parse(&pem(algorithm)).is_ok(),
                "{algorithm:?}"
            );
        }
    }

    #[test]
    fn a_request_with_a_flipped_bit_is_refused() {
        use base64::Engine as _;
        let good = pem(&rcgen::PKCS_ED25519);
        let der = CertificateSigningRequestDer::from_pem_slice(good.as_bytes()).unwrap();
        let mut bytes = der.as_ref().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        let body = base64::engine::general_purpose::STANDARD.encode(bytes);
        let bad = format!(
            "-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n"
        );
        assert_eq!(
            CertificateRequest::parse(&bad).unwrap_err(),
            RequestError::Signature
        );
    }

    #[test]
    fn nonsense_a_private_key_and_an_endless_text_are_refused() {
        let key = KeyPair::generate().unwrap().serialize_pem();
        for text in ["", "hello", key.as_str()] {
            assert_eq!(
                CertificateRequest::parse(text).unwrap_err(),
                RequestError::Malformed
            );
        }
        assert_eq!(
            CertificateRequest::parse(&"x".repeat(MAX_CSR_BYTES + 1)).unwrap_err(),
            RequestError::TooLong
        );
    }
}
