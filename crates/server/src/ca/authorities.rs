//! The CA in force, and while it is exchanged the other one beside it.
//!
//! Both are believed, in both directions, and each vouches for the other. So whoever knows only one of them, a host that was away, an
//! enrolment token from before the exchange, a person's configuration, reaches the key server whichever is in force.

use keyroster_api::key_set::MAX_CAS;
use keyroster_edge::{CaPin, TlsError, certificate_to_pem, certificates_from_pem, key_id};
use keyroster_roster::Timestamp;
use rustls::pki_types::CertificateDer;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Ca, CaError, SERIAL_BYTES, ServerLeaf};
use crate::certificate_request::CertificateRequest;
use crate::credentials::{Credential, Credentials};
use crate::data_dir::{DataDir, FileError, read_public, read_secret};
use crate::host_identity::HostIdentity;
use crate::key_chain::Chain;
use crate::limits::CA_WARNING_DAYS;

/// The CAs of a key server.
#[derive(Debug)]
pub struct Authorities {
    in_force: Ca,
    other: Option<Other>,
}

/// The CA that is not in force.
#[derive(Debug)]
struct Other {
    certificate: CertificateDer<'static>,
    crosses: Crosses,
    is_newer: bool,
}

/// The certificates by which two CAs vouch for each other.
#[derive(Debug, Clone)]
pub struct Crosses([CertificateDer<'static>; MAX_CAS]);

/// Who issued a certificate that was verified.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuedBy {
    /// The CA in force.
    InForce,
    /// The other one.
    Other,
}

/// The CAs can't be used. Whoever runs the server has to put the files right.
#[derive(Debug, Error)]
pub enum AuthoritiesError {
    /// A file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The CA in force can't be used.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The other one's certificates can't be read.
    #[error("the certificates of an exchange of the CA can't be used: {0}")]
    Tls(#[from] TlsError),
    /// The certificates are not those of the exchange.
    #[error("the certificates of an exchange of the CA do not belong together")]
    Strangers,
    /// Hosts would believe nothing that it vouches for.
    #[error("the CA is none that hosts were told of; see snapshot-keys.json")]
    Unknown,
}

impl Authorities {
    /// Reads the CAs, as far as hosts were told of them.
    ///
    /// # Errors
    /// When a file can't be used, or hosts were told of others.
    pub fn load(
        dir: &DataDir,
        credentials: &Credentials,
        chain: &Chain,
    ) -> Result<Self, AuthoritiesError> {
        let pem = read_public(&dir.ca())?;
        let certificate = keyroster_edge::certificate_from_pem(pem.as_bytes())?;
        let pin = CaPin::of(&certificate).to_string();
        let told = chain.cas();
        if !(told.is_empty() || told.contains(&pin)) {
            return Err(AuthoritiesError::Unknown);
        }
        let others: Vec<_> = told.iter().filter(|other| **other != pin).collect();
        let in_force = Ca::load(&pem, &key(dir, credentials, !others.is_empty(), &pem)?)?;
        let other = match others.first() {
            None => None,
            Some(pin) => Some(Other::load(dir, pin, told.first() == Some(*pin))?),
        };
        Ok(Self { in_force, other })
    }

    /// A CA alone.
    #[must_use]
    pub const fn alone(in_force: Ca) -> Self {
        Self {
            in_force,
            other: None,
        }
    }

    /// The CA in force.
    #[must_use]
    pub const fn in_force(&self) -> &Ca {
        &self.in_force
    }

    /// Whole days until the CA in force ends.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> Option<i64> {
        let end = self.in_force.end()?.as_unix();
        Some(
            end.saturating_sub(now.as_unix())
                .div_euclid(SECONDS_PER_DAY),
        )
    }

    /// The same, when it is time to exchange it.
    #[must_use]
    pub fn ends_soon(&self, now: Timestamp) -> Option<i64> {
        self.days_left(now).filter(|days| *days < CA_WARNING_DAYS)
    }

    /// The CAs whose certificates are taken.
    #[must_use]
    pub fn trusted(&self) -> Vec<CertificateDer<'static>> {
        let own = self.in_force.certificate().clone();
        let other = self.other.as_ref().map(|other| other.certificate.clone());
        match &self.other {
            Some(Other { is_newer: true, .. }) => other.into_iter().chain([own]).collect(),
            _ => std::iter::once(own).chain(other).collect(),
        }
    }

    /// The newest, which tokens and people pin.
    #[must_use]
    pub fn newest(&self) -> CaPin {
        match &self.other {
            Some(other) if other.is_newer => CaPin::of(&other.certificate),
            _ => self.in_force.pin(),
        }
    }

    /// The other one's certificate, PEM.
    #[must_use]
    pub fn other_pem(&self) -> Option<String> {
        let other = self.other.as_ref();
        other.map(|other| certificate_to_pem(&other.certificate))
    }

    /// What may be known to all: the CAs, the newest first, and by what each vouches for the other.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let crosses = self.other.iter().flat_map(|other| &other.crosses.0);
        let all = self.trusted();
        all.iter().chain(crosses).map(certificate_to_pem).collect()
    }

    /// Whether the CA in force has taken the place of another, for which hosts still have certificates.
    #[must_use]
    pub const fn replaces(&self) -> bool {
        matches!(
            &self.other,
            Some(Other {
                is_newer: false,
                ..
            })
        )
    }

    /// Who issued a certificate with this issuer's key identifier, which one of both has.
    pub fn issuer(&self, key: Option<&[u8]>) -> IssuedBy {
        let other = self.other.as_ref();
        let theirs = other.and_then(|other| key_id(&other.certificate));
        match (theirs, key) {
            (Some(theirs), Some(key)) if theirs == key => IssuedBy::Other,
            _ => IssuedBy::InForce,
        }
    }

    /// Whether that one is the newest.
    #[must_use]
    pub fn is_newest(&self, issuer: IssuedBy) -> bool {
        let other_is_newer = self.other.as_ref().is_some_and(|other| other.is_newer);
        other_is_newer == (issuer == IssuedBy::Other)
    }

    /// Issues the server's own certificate, with a chain that leads to either CA.
    ///
    /// # Errors
    /// When signing fails.
    pub fn issue_server(
        &self,
        names: &[String],
        now: Timestamp,
        serial: [u8; SERIAL_BYTES],
    ) -> Result<ServerLeaf, CaError> {
        let mut leaf = self.in_force.issue_server(names, now, serial)?;
        if let Some(other) = &self.other {
            // After the leaf: who knows only the other one goes by what it says of this one.
            let cross = other.crosses.for_ca(self.in_force.certificate());
            leaf.chain.splice(1..1, cross.cloned());
            leaf.chain.push(other.certificate.clone());
        }
        Ok(leaf)
    }

    /// Issues a host's client certificate (PEM).
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
        self.in_force.issue_host(request, host, now, serial)
    }
}

impl Other {
    fn load(dir: &DataDir, pin: &str, is_newer: bool) -> Result<Self, AuthoritiesError> {
        let pem = read_public(&dir.next_ca())?;
        let certificate = keyroster_edge::certificate_from_pem(pem.as_bytes())?;
        if CaPin::of(&certificate).to_string() != pin {
            return Err(AuthoritiesError::Strangers);
        }
        Ok(Self {
            certificate,
            crosses: Crosses::load(dir)?,
            is_newer,
        })
    }
}

impl Crosses {
    /// Lets two CAs vouch for each other.
    ///
    /// # Errors
    /// When signing fails.
    pub fn create(
        old: &Ca,
        new: &Ca,
        now: Timestamp,
        serials: [[u8; SERIAL_BYTES]; MAX_CAS],
    ) -> Result<Self, CaError> {
        let [one, two] = serials;
        Ok(Self([
            old.vouch_for(new, now, one)?,
            new.vouch_for(old, now, two)?,
        ]))
    }

    fn load(dir: &DataDir) -> Result<Self, AuthoritiesError> {
        let all = certificates_from_pem(read_public(&dir.ca_crosses())?.as_bytes())?;
        let all = all.try_into();
        all.map(Self).map_err(|_| AuthoritiesError::Strangers)
    }

    /// Both, PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.iter().map(certificate_to_pem).collect()
    }

    /// The one for the key of this CA.
    fn for_ca(&self, ca: &CertificateDer<'_>) -> Option<&CertificateDer<'static>> {
        let id = key_id(ca)?;
        self.0
            .iter()
            .find(|cross| key_id(cross).as_ref() == Some(&id))
    }
}

/// The private key that belongs to the certificate in force. While CAs are exchanged it may lie in the other one's place: certificate
/// and key are two files, and a crash may have come between them.
fn key(
    dir: &DataDir,
    credentials: &Credentials,
    exchanged: bool,
    certificate: &str,
) -> Result<Zeroizing<String>, AuthoritiesError> {
    let own = match credentials.read(Credential::CaKey)? {
        Some(key) => key,
        None => read_secret(&dir.ca_key())?,
    };
    if !exchanged || Ca::load(certificate, &own).is_ok() {
        return Ok(own);
    }
    for path in [dir.ca_key(), dir.next_ca_key()] {
        match read_secret(&path) {
            Ok(key) if Ca::load(certificate, &key).is_ok() => return Ok(key),
            _ => {}
        }
    }
    Ok(own)
}

const SECONDS_PER_DAY: i64 = 86_400;

#[cfg(test)]
mod tests;
