//! Who a host says it is, with a certificate of our CA in its hand.
//!
//! The id stands in two places, as common name for people and tools and as a URI that says what kind of name it is; both must
//! agree. The generation counts renewals: whoever shows an old one after a newer one was issued holds a copy.

use keyroster_roster::{HostId, Timestamp};
use thiserror::Error;
use x509_parser::prelude::{GeneralName, X509Certificate};

use crate::ca::BACKDATED;

/// The host, and which of its certificates this is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostIdentity {
    /// The host.
    pub host: HostId,
    /// The first certificate is of generation 1; each renewal counts one up.
    pub generation: u64,
}

/// A certificate of our CA that is not a host's. Refuse whoever shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the certificate is not a host's")]
pub struct NotAHost;

impl HostIdentity {
    /// Reads the names in a certificate that the TLS handshake has verified.
    ///
    /// # Errors
    /// When they are not those of a host.
    pub fn from_certificate(der: &[u8]) -> Result<Self, NotAHost> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(|_| NotAHost)?;
        Self::read(&certificate)
    }

    /// The same, with the moment at which our CA issued the certificate.
    ///
    /// # Errors
    /// When they are not those of a host.
    pub fn with_issue(der: &[u8]) -> Result<(Self, Timestamp), NotAHost> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(|_| NotAHost)?;
        let valid_from = certificate.validity().not_before.timestamp();
        let backdated = i64::try_from(BACKDATED.as_secs()).map_err(|_| NotAHost)?;
        let issued_at = Timestamp::from_unix(valid_from.saturating_add(backdated));
        Ok((Self::read(&certificate)?, issued_at))
    }

    fn read(certificate: &X509Certificate<'_>) -> Result<Self, NotAHost> {
        let mut host = None;
        let mut generation = None;
        for uri in uris(certificate)? {
            if let Some(id) = uri.strip_prefix(HOST_URI) {
                only(&mut host, HostId::parse(id).map_err(|_| NotAHost)?)?;
            } else if let Some(number) = uri.strip_prefix(GENERATION_URI) {
                only(&mut generation, number.parse().map_err(|_| NotAHost)?)?;
            }
        }
        let (host, generation) = host.zip(generation).ok_or(NotAHost)?;
        let mut names = certificate.subject().iter_common_name();
        match (
            names.next().and_then(|name| name.as_str().ok()),
            names.next(),
        ) {
            (Some(name), None) if name == host.as_str() => Ok(Self { host, generation }),
            _ => Err(NotAHost),
        }
    }

    /// The URIs that stand in the host's certificate.
    #[must_use]
    pub fn to_uris(&self) -> [String; 2] {
        [
            format!("{HOST_URI}{}", self.host),
            format!("{GENERATION_URI}{}", self.generation),
        ]
    }
}

fn uris<'a>(certificate: &'a X509Certificate<'_>) -> Result<Vec<&'a str>, NotAHost> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| NotAHost)?
        .ok_or(NotAHost)?;
    let uri = |name: &GeneralName<'a>| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    };
    Ok(names.value.general_names.iter().filter_map(uri).collect())
}

fn only<T>(place: &mut Option<T>, value: T) -> Result<(), NotAHost> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(NotAHost),
    }
}

/// The generation of the certificate that a host gets when it enrols.
pub const FIRST_GENERATION: u64 = 1;

const HOST_URI: &str = "urn:keyroster:host:";
const GENERATION_URI: &str = "urn:keyroster:generation:";

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    const ID: &str = "01939e8a-7c3f-7b1e-9d55-0123456789ab";

    fn certificate(common_name: &str, uris: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        for uri in uris {
            params
                .subject_alt_names
                .push(SanType::URI((*uri).try_into().unwrap()));
        }
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .to_vec()
    }

    #[test]
    fn an_identity_survives_its_certificate() {
        let identity = HostIdentity {
            host: HostId::parse(ID).unwrap(),
            generation: 3,
        };
        let uris = identity.to_uris();
        let der = certificate(ID, &[&uris[0], &uris[1]]);
        assert_eq!(HostIdentity::from_certificate(&der), Ok(identity));
    }

    #[test]
    fn a_certificate_with_names_missing_doubled_or_at_odds_is_no_hosts() {
        let (host, generation) = (format!("{HOST_URI}{ID}"), format!("{GENERATION_URI}1"));
        let other = format!("{HOST_URI}{}", ID.replace('0', "1"));
        for (name, uris) in [
            (ID, vec![]),
            (ID, vec![host.as_str()]),
            (ID, vec![&generation]),
            (ID, vec![&host, &host, &generation]),
            (ID, vec![&host, &other, &generation]),
            (ID, vec![&host, &generation, "urn:keyroster:generation:2"]),
            (ID, vec![&host, "urn:keyroster:generation:-1"]),
            (ID, vec!["urn:keyroster:host:../x", &generation]),
            (ID, vec![&other, &generation]),
            ("web-1", vec![&host, &generation]),
        ] {
            assert_eq!(
                HostIdentity::from_certificate(&certificate(name, &uris)),
                Err(NotAHost),
                "{name} {uris:?}"
            );
        }
        assert_eq!(HostIdentity::from_certificate(b"nonsense"), Err(NotAHost));
    }
}
