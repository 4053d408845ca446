//! Certificates and keys out of PEM text, with errors that never show what was in it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::TlsError;

/// All certificates of a PEM text, in order; at least one.
pub fn certificates_from_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::CertificatePem)?;
    if all.is_empty() {
        Err(TlsError::CertificatePem)
    } else {
        Ok(all)
    }
}

/// The only certificate of a PEM text. Two are refused: which of them was meant is not for us to guess.
pub fn certificate_from_pem(pem: &[u8]) -> Result<CertificateDer<'static>, TlsError> {
    let mut all = certificates_from_pem(pem)?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(TlsError::CertificatePem),
    }
}

/// PEM with nothing in it but the certificate.
#[must_use]
pub fn certificate_to_pem(certificate: &CertificateDer<'_>) -> String {
    let base64 = STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(PEM_LINE_BYTES));
        // Writing to a string can't fail.
        let _ = writeln!(pem, "{line}");
        rest = tail;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// The first private key of a PEM text.
pub fn private_key_from_pem(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| TlsError::PrivateKeyPem)
}

/// Base64 characters on a line of PEM (RFC 7468).
const PEM_LINE_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestCa;

    #[test]
    fn a_certificate_survives_its_pem_whatever_its_length() {
        for length in [1, 47, 48, 49, 96, 1000] {
            let certificate = CertificateDer::from(vec![7_u8; length]);
            let pem = certificate_to_pem(&certificate);
            assert_eq!(certificate_from_pem(pem.as_bytes()).unwrap(), certificate);
            assert!(pem.lines().all(|line| line.len() <= PEM_LINE_BYTES));
        }
    }

    #[test]
    fn one_certificate_is_read_and_two_are_refused_where_one_is_meant() {
        let ca = TestCa::new("one");
        let twice = format!("{0}{0}", ca.pem());
        assert_eq!(
            certificate_from_pem(ca.pem().as_bytes()).unwrap(),
            *ca.der()
        );
        assert!(certificate_from_pem(twice.as_bytes()).is_err());
        assert_eq!(certificates_from_pem(twice.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn text_without_a_certificate_is_an_error_and_not_an_empty_list() {
        assert!(certificates_from_pem(b"<html></html>").is_err());
        assert!(certificates_from_pem(b"").is_err());
    }

    #[test]
    fn an_error_about_a_private_key_shows_nothing_of_it() {
        let err =
            private_key_from_pem(b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END").unwrap_err();
        assert!(!format!("{err} {err:?}").contains("c2VjcmV0"));
    }
}
