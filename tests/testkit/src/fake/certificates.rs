//! Certificates, right and wrong.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::{Failure, Result};

/// What is wrong with a server's certificate, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateKind {
    /// Nothing: of this CA, for 127.0.0.1 and localhost, valid now.
    Good,
    /// It ended years ago.
    Expired,
    /// It begins in years.
    NotYetValid,
    /// It is for another host's name.
    WrongName,
    /// Another CA of the same name issued it.
    ForeignCa,
    /// It vouches for itself.
    SelfSigned,
}

/// A certificate and its private key, for a TLS server.
#[derive(Debug)]
pub struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// The certificate and the key, for a TLS server of the caller's.
    pub fn into_parts(self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        (self.certificate, self.key)
    }
}

/// A certificate and its private key for a client, PEM.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// A certificate authority that issues whatever a test wants.
pub struct TestCa {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
}

impl TestCa {
    /// A new one.
    pub fn new() -> Result<Self> {
        let key = KeyPair::generate().map_err(failed)?;
        let ca = CertifiedIssuer::self_signed(ca_params(), key).map_err(failed)?;
        let certificate_pem = ca.pem();
        Self::from_pem(&certificate_pem, &ca.key().serialize_pem())
    }

    /// One from files, such as those that `keyroster-server init` made.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self> {
        let key = KeyPair::from_pem(key_pem).map_err(failed)?;
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key).map_err(failed)?;
        Ok(Self {
            issuer,
            certificate_pem: certificate_pem.to_owned(),
        })
    }

    /// The certificate that clients are to trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A server's certificate of this kind.
    pub fn issue(&self, kind: CertificateKind) -> Result<Identity> {
        let key = KeyPair::generate().map_err(failed)?;
        let params = server_params(kind)?;
        let certificate = match kind {
            CertificateKind::ForeignCa => params.signed_by(&key, &Self::new()?.issuer),
            CertificateKind::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &self.issuer),
        };
        Ok(Identity {
            certificate: certificate.map_err(failed)?.der().clone(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    /// A client's certificate of this kind.
    pub fn issue_to_client(&self, kind: CertificateKind) -> Result<ClientIdentity> {
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = server_params(kind)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(ClientIdentity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl std::fmt::Debug for TestCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestCa").finish_non_exhaustive()
    }
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "keyroster test CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params
}

fn server_params(kind: CertificateKind) -> Result<CertificateParams> {
    let names = match kind {
        CertificateKind::WrongName => vec!["another.example".to_owned()],
        _ => vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
    };
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let (from, until) = match kind {
        CertificateKind::Expired => (2020, 2021),
        CertificateKind::NotYetValid => (2098, 2099),
        _ => (2020, 2099),
    };
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    Ok(params)
}

fn failed(error: rcgen::Error) -> Failure {
    Failure::new(format!("cannot make a certificate: {error}"))
}
