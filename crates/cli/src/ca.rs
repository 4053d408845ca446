//! The CA that vouches for the key server, as PEM text in a file or in the configuration.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyroster_edge::{TlsError, certificate_from_pem};
use rustls_pki_types::CertificateDer;

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// The certificate of the only CA that is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ca(CertificateDer<'static>);

impl Ca {
    /// Reads the one certificate of a PEM text.
    pub(crate) fn from_pem(text: &str) -> std::result::Result<Self, TlsError> {
        certificate_from_pem(text.as_bytes()).map(Self)
    }

    /// Reads a PEM file.
    pub(crate) fn from_file(path: &Path) -> Result<Self> {
        let shown = path.display();
        let mut pem = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_PEM_BYTES).read_to_string(&mut pem))
            .map_err(|error| {
                Failure::new(
                    Exit::NoInput,
                    format!("can't read the CA file \"{shown}\": {error}"),
                )
            })?;
        Self::from_pem(&pem).map_err(|_| {
            Failure::new(
                Exit::Data,
                format!("CA file \"{shown}\" does not hold one certificate in PEM"),
            )
            .hint("the key server hands out its own: GET /v1/ca")
        })
    }

    /// The certificate for the TLS configuration.
    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        &self.0
    }

    /// PEM with nothing in it but the certificate.
    pub(crate) fn to_pem(&self) -> String {
        let base64 = STANDARD.encode(&self.0);
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
}

impl From<CertificateDer<'static>> for Ca {
    fn from(der: CertificateDer<'static>) -> Self {
        Self(der)
    }
}

/// Bytes that are read of a CA file.
const MAX_PEM_BYTES: u64 = 64 * 1024;
/// Base64 characters on a line of PEM (RFC 7468).
const PEM_LINE_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_survives_its_pem_whatever_its_length() {
        for length in [0, 1, 47, 48, 49, 96, 1000] {
            let ca = Ca::from(CertificateDer::from(vec![7_u8; length]));
            if length > 0 {
                assert_eq!(Ca::from_pem(&ca.to_pem()).unwrap(), ca, "{length}");
            }
            assert!(ca.to_pem().lines().all(|line| line.len() <= 64));
        }
    }

    #[test]
    fn text_around_the_certificate_is_left_out_of_what_is_kept() {
        let ca = Ca::from(CertificateDer::from(vec![7_u8; 100]));
        let read = Ca::from_pem(&format!("subject: CN=x\n{}", ca.to_pem())).unwrap();
        assert_eq!(read.to_pem(), ca.to_pem());
    }
}
