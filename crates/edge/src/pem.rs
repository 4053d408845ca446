//! Certificates and keys out of PEM text, with errors that never show what was in it.

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

/// The first private key of a PEM text.
pub fn private_key_from_pem(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| TlsError::PrivateKeyPem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestCa;

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
