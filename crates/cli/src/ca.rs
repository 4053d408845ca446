//! The CA that vouches for the key server, as PEM text in a file or in the configuration; two of them while it is exchanged.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use keyroster_edge::{
    CaPin, TlsError, certificate_to_pem, certificates_from_pem, is_self_issued, vouches,
};
use rustls_pki_types::CertificateDer;

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// The certificates of the only CAs that are believed, the newest first; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cas(Vec<CertificateDer<'static>>);

/// What an exchange of the CA comes to for somebody who knows some.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Succession {
    /// Nothing is new.
    Unchanged,
    /// There is a new one, for which the newest that is known vouches.
    Learned(Cas),
    /// The newest that is known stands alone.
    Alone(Cas),
    /// There is a new one, and nobody who is known vouches for it.
    Stranger,
}

impl Cas {
    /// Reads the certificates of a PEM text.
    pub(crate) fn from_pem(text: &str) -> std::result::Result<Self, TlsError> {
        certificates_from_pem(text.as_bytes()).map(Self)
    }

    /// Reads a PEM file. What stands in it beside CAs, as it does in what the key server hands out, is left out.
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
        let all = certificates_from_pem(pem.as_bytes()).map_err(|_| {
            Failure::new(
                Exit::Data,
                format!("CA file \"{shown}\" does not hold a certificate in PEM"),
            )
            .hint("the key server hands out its own: GET /v1/ca")
        })?;
        Ok(Self::cas_of(&all).unwrap_or(Self(all)))
    }

    /// The CAs among certificates.
    fn cas_of(all: &[CertificateDer<'static>]) -> Option<Self> {
        let cas: Vec<_> = all
            .iter()
            .filter(|it| is_self_issued(it))
            .cloned()
            .collect();
        (!cas.is_empty()).then_some(Self(cas))
    }

    /// The certificates for the TLS configuration.
    pub(crate) fn ders(&self) -> &[CertificateDer<'static>] {
        &self.0
    }

    /// The fingerprint of the newest.
    pub(crate) fn newest(&self) -> Option<CaPin> {
        self.0.first().map(CaPin::of)
    }

    /// The fingerprints, as the key server names its own.
    pub(crate) fn to_pins(&self) -> String {
        let pins: Vec<_> = self.0.iter().map(|ca| CaPin::of(ca).to_string()).collect();
        pins.join(" ")
    }

    /// PEM with nothing in it but the certificates.
    pub(crate) fn to_pem(&self) -> String {
        self.0.iter().map(certificate_to_pem).collect()
    }

    /// What becomes of them by what the key server hands out, the newest first. Only the newest that is known can name the next, so that
    /// nobody who has the key of one that goes leads anywhere.
    pub(crate) fn follow(
        &self,
        handed_out: &[CertificateDer<'static>],
        now: Duration,
    ) -> Succession {
        let offered = Self::cas_of(handed_out);
        let newest = self.0.first();
        let (Some(offered), Some(newest)) = (offered, newest) else {
            return Succession::Unchanged;
        };
        let (Some(next), theirs) = (offered.0.first(), &offered.0) else {
            return Succession::Unchanged;
        };
        if next == newest {
            let stay: Vec<_> = self
                .0
                .iter()
                .filter(|ca| theirs.contains(ca))
                .cloned()
                .collect();
            return match stay.len() == self.0.len() {
                true => Succession::Unchanged,
                false => Succession::Alone(Self(stay)),
            };
        }
        match vouches(newest, next, handed_out, now) {
            true => Succession::Learned(Self(vec![next.clone(), newest.clone()])),
            // An old set, of a key server that has not heard of the newest yet.
            false if self.0.contains(next) => Succession::Unchanged,
            false => Succession::Stranger,
        }
    }
}

impl From<CertificateDer<'static>> for Cas {
    fn from(der: CertificateDer<'static>) -> Self {
        Self(vec![der])
    }
}

/// Bytes that are read of a CA file.
const MAX_PEM_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
