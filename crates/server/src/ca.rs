//! The key server's certificate authority.
//!
//! One CA for both directions: it vouches for the server towards hosts and people, who pin it, and for hosts towards the
//! server. ECDSA on P-256, since every TLS client and every X.509 tool takes it.

mod authorities;

use std::time::Duration;

use keyroster_edge::CaPin;
use keyroster_roster::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::certificate_request::CertificateRequest;
use crate::host_identity::HostIdentity;

pub use authorities::{Authorities, AuthoritiesError, Crosses, IssuedBy};

/// The CA: its certificate, and its private key in memory.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

/// A certificate chain, leaf first and the CA last, and the leaf's key.
pub struct ServerLeaf {
    /// The chain.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's private key.
    pub key: PrivateKeyDer<'static>,
}

/// The CA can't be made, read or used.
#[derive(Debug, Error)]
pub enum CaError {
    /// A file holds no certificate or no key. The file has to be restored.
    #[error("the CA's certificate or key can't be read")]
    Unreadable,
    /// The key is another CA's. One of the two files has to be restored.
    #[error("the CA's certificate and key do not belong together")]
    Mismatch,
    /// Signing failed; nothing was issued.
    #[error("can't issue a certificate: {0}")]
    Issue(String),
}

impl Ca {
    /// Makes a CA; the text is its private key, PEM.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn create(
        now: Timestamp,
        serial: [u8; SERIAL_BYTES],
    ) -> Result<(Self, Zeroizing<String>), CaError> {
        let key = KeyPair::generate().map_err(issue)?;
        let key_pem = Zeroizing::new(key.serialize_pem());
        let params = ca_params(now, serial, CA_DAYS)?;
        let pem = params.self_signed(&key).map_err(issue)?.pem();
        Ok((Self::load(&pem, &key_pem)?, key_pem))
    }

    /// Reads a CA from its two files.
    ///
    /// # Errors
    /// When they can't be read or do not belong together.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, CaError> {
        let certificate = keyroster_edge::certificate_from_pem(certificate_pem.as_bytes())
            .map_err(|_| CaError::Unreadable)?;
        let key = KeyPair::from_pem(key_pem).map_err(|_| CaError::Unreadable)?;
        if subject_key(&certificate).ok_or(CaError::Unreadable)? != key.public_key_raw() {
            return Err(CaError::Mismatch);
        }
        let issuer =
            Issuer::from_ca_cert_der(&certificate, key).map_err(|_| CaError::Unreadable)?;
        Ok(Self {
            issuer,
            certificate,
            pem: certificate_pem.to_owned(),
        })
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// When it ends.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        end_of_pem(&self.pem)
    }

    /// What hosts and people pin.
    #[must_use]
    pub fn pin(&self) -> CaPin {
        CaPin::of(&self.certificate)
    }

    /// Vouches for another CA, as RFC 4210 (section 4.4) has it where a CA's key is exchanged: a certificate for its key. It has the
    /// name of both, so that the length of path that this CA allows is not used up (RFC 5280, section 4.2.1.9).
    ///
    /// # Errors
    /// When signing fails.
    pub fn vouch_for(
        &self,
        other: &Self,
        now: Timestamp,
        serial: [u8; SERIAL_BYTES],
    ) -> Result<CertificateDer<'static>, CaError> {
        let mut params = ca_params(now, serial, CROSS_DAYS)?;
        params.use_authority_key_identifier_extension = true;
        let cross = params
            .signed_by(other.issuer.key(), &self.issuer)
            .map_err(issue)?;
        Ok(cross.der().clone())
    }

    /// Issues the server's own certificate, with a new key that never leaves memory.
    ///
    /// # Errors
    /// When signing fails.
    pub fn issue_server(
        &self,
        names: &[String],
        now: Timestamp,
        serial: [u8; SERIAL_BYTES],
    ) -> Result<ServerLeaf, CaError> {
        let key = KeyPair::generate().map_err(issue)?;
        let mut params = CertificateParams::new(names.to_vec()).map_err(issue)?;
        params
            .distinguished_name
            .push(DnType::CommonName, SERVER_NAME);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial_number(serial));
        set_validity(&mut params, now, SERVER_DAYS)?;
        let leaf = params.signed_by(&key, &self.issuer).map_err(issue)?;
        Ok(ServerLeaf {
            chain: vec![leaf.der().clone(), self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    /// Issues a host's client certificate (PEM) for the key in its request. Nothing but the key is taken from the request.
    ///
    /// # Errors
    /// When signing fails.
    pub fn issue_host(
        &self,
        request: &CertificateRequest,
        host: &HostIdentity,
        now: Timestamp,
        serial: [u8; SERIAL_BYTES],
    ) -> Result<String, CaError> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, host.host.as_str());
        for uri in host.to_uris() {
            params
                .subject_alt_names
                .push(SanType::URI(uri.try_into().map_err(issue)?));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial_number(serial));
        set_validity(&mut params, now, HOST_DAYS)?;
        let certificate = params
            .signed_by(request.public_key(), &self.issuer)
            .map_err(issue)?;
        Ok(certificate.pem())
    }
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Ca({})", self.pin())
    }
}

/// When the certificate of a PEM text ends.
#[must_use]
pub fn end_of_pem(pem: &str) -> Option<Timestamp> {
    let certificate = keyroster_edge::certificate_from_pem(pem.as_bytes()).ok()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).ok()?;
    let end = parsed.validity().not_after.timestamp();
    Some(Timestamp::from_unix(end))
}

fn ca_params(
    now: Timestamp,
    serial: [u8; SERIAL_BYTES],
    days: u64,
) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, CA_NAME);
    // No CA below it: a host's certificate can vouch for nobody.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(serial_number(serial));
    set_validity(&mut params, now, days)?;
    Ok(params)
}

/// The public key of a certificate, as its bit string holds it.
fn subject_key(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(parsed.public_key().subject_public_key.data.to_vec())
}

/// Valid from a while ago, since the clocks of hosts and server differ.
fn set_validity(params: &mut CertificateParams, now: Timestamp, days: u64) -> Result<(), CaError> {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(u64::try_from(now.as_unix()).unwrap_or(0));
    let at = |since: Duration| {
        let since = since
            .try_into()
            .map_err(|_| CaError::Issue(OUT_OF_RANGE.to_owned()))?;
        epoch
            .checked_add(since)
            .ok_or_else(|| CaError::Issue(OUT_OF_RANGE.to_owned()))
    };
    params.not_before = at(now.saturating_sub(BACKDATED))?;
    params.not_after = at(now + Duration::from_secs(days * SECONDS_PER_DAY))?;
    Ok(())
}

/// A positive number of at most 20 bytes, as RFC 5280 asks.
fn serial_number(mut bytes: [u8; SERIAL_BYTES]) -> SerialNumber {
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    SerialNumber::from_slice(&bytes)
}

fn issue(error: impl std::fmt::Display) -> CaError {
    CaError::Issue(error.to_string())
}

/// Random bytes of a certificate's serial number.
pub const SERIAL_BYTES: usize = 16;
/// Days for which the CA is valid: ten years.
pub const CA_DAYS: u64 = 3650;
/// Days for which one CA vouches for another: the longest that an exchange may take.
pub const CROSS_DAYS: u64 = 366;
/// Days for which the server's certificate is valid; a new one is made every day.
pub const SERVER_DAYS: u64 = 90;
/// Days for which a host's certificate is valid.
pub const HOST_DAYS: u64 = 90;
/// How far clocks may differ.
pub const BACKDATED: Duration = Duration::from_secs(3600);

const SECONDS_PER_DAY: u64 = 86_400;
const CA_NAME: &str = "keyroster CA";
const SERVER_NAME: &str = "keyroster-server";
const OUT_OF_RANGE: &str = "the clock is out of range";

#[cfg(test)]
mod tests;
