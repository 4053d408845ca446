//! First contact with a key server whose CA is known by its fingerprint only.
//!
//! The server sends its whole chain, CA included; the pin picks the CA out of it, and from there on the check is the ordinary
//! one with that CA as the only root. So there is no moment of trust on first use and no second connection that could
//! reach somebody else: a chain without the pinned CA ends the handshake.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::crypto::provider;

/// SHA-256 of a CA certificate's DER. Its text is `SHA256:` and 43 characters of base64, like a key's fingerprint.
#[derive(Clone, Copy, Eq)]
pub struct CaPin([u8; PIN_BYTES]);

impl CaPin {
    /// The pin of this certificate.
    #[must_use]
    pub fn of(ca: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(ca.as_ref()).into())
    }

    /// The pin as an enrolment token carries it.
    #[must_use]
    pub fn from_bytes(digest: [u8; PIN_BYTES]) -> Self {
        Self(digest)
    }

    /// The digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; PIN_BYTES] {
        &self.0
    }
}

impl PartialEq for CaPin {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl FromStr for CaPin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let base64 = text.strip_prefix(PREFIX).ok_or(PinError)?;
        let bytes = STANDARD_NO_PAD.decode(base64).map_err(|_| PinError)?;
        Ok(Self(bytes.try_into().map_err(|_| PinError)?))
    }
}

impl fmt::Display for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no CA fingerprint; ask for it again.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a CA fingerprint: it is `SHA256:` followed by 43 characters of base64")]
pub struct PinError;

/// The CA that a pinned handshake accepted; empty until there was one.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeenCa(Arc<OnceLock<CertificateDer<'static>>>);

impl SeenCa {
    pub(crate) fn get(&self) -> Option<&CertificateDer<'static>> {
        self.0.get()
    }
}

/// Accepts a server whose chain contains the pinned CA and which that CA vouches for.
#[derive(Debug)]
pub(crate) struct PinnedVerifier {
    pin: CaPin,
    seen: SeenCa,
}

impl PinnedVerifier {
    pub(crate) fn new(pin: CaPin, seen: SeenCa) -> Self {
        Self { pin, seen }
    }
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let ca = intermediates
            .iter()
            .find(|certificate| CaPin::of(certificate) == self.pin)
            .ok_or(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer,
            ))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|err| rustls::Error::General(err.to_string()))?;
        let verified = verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        // A second handshake of the same client finds the same pin, hence the same bytes.
        let _ = self.seen.0.set(ca.clone().into_owned());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Bytes of a SHA-256.
const PIN_BYTES: usize = 32;

const PREFIX: &str = "SHA256:";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestCa;

    #[test]
    fn a_pin_survives_its_text() {
        let pin = CaPin::of(TestCa::new("text").der());
        assert_eq!(pin.to_string().parse::<CaPin>(), Ok(pin));
        assert_eq!(pin.to_string().len(), PREFIX.len() + 43);
    }

    #[test]
    fn text_that_is_no_pin_is_refused() {
        let good = CaPin::from_bytes([7; PIN_BYTES]).to_string();
        for bad in [
            "",
            "SHA256:",
            "sha256:AAAA",
            "MD5:00:11",
            &good[7..],
            &good[..49],
            &format!("{good}="),
        ] {
            assert_eq!(bad.parse::<CaPin>(), Err(PinError), "{bad:?}");
        }
    }

    #[test]
    fn pins_of_two_authorities_of_one_name_differ() {
        assert_ne!(
            CaPin::of(TestCa::new("same").der()),
            CaPin::of(TestCa::new("same").der())
        );
    }
}
