//! TLS configurations: TLS 1.2 and 1.3 with ring, the trust anchors that are named, nothing from the system.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::client::{Identity, Trust};
use crate::crypto::provider;
use crate::error::TlsError;
use crate::pin::{PinnedVerifier, SeenCa};

/// The certificate that a server shows, replaceable while it serves: the next handshake shows the new one.
///
/// The chain must end with the CA itself, though TLS does not ask for it: first contact picks the pinned CA out of it.
#[derive(Debug, Clone)]
pub struct CertificateHandle(Arc<Shown>);

impl CertificateHandle {
    /// Starts with this chain and key.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(Shown(ArcSwap::from_pointee(certified_key(
            chain, key,
        )?)))))
    }

    /// Shows this chain and key from the next handshake on; on an error the old ones stay.
    pub fn replace(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<(), TlsError> {
        self.0.0.store(Arc::new(certified_key(chain, key)?));
        Ok(())
    }
}

#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The configuration of a listener.
///
/// With `client_cas` a client may show a certificate, and one that none of these CAs issued ends the handshake; a client without
/// one is let in, and the service decides by [`crate::PeerCertificate`] what it may do: people and hosts share one port.
pub fn server_config(
    certificate: &CertificateHandle,
    client_cas: &[CertificateDer<'static>],
) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = match client_cas {
        [] => builder.with_no_client_auth(),
        cas => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(cas)?), provider())
                    .allow_unauthenticated()
                    .build()
                    .map_err(unusable)?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config =
        builder.with_cert_resolver(Arc::clone(&certificate.0) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
    Ok(Arc::new(config))
}

/// The configuration of a client, and where a pinned handshake leaves the CA that it accepted.
pub(crate) fn client_config(
    trust: Trust,
    identity: Option<Identity>,
) -> Result<(ClientConfig, SeenCa), TlsError> {
    let seen = SeenCa::default();
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Pinned(pin) => Arc::new(PinnedVerifier::new(pin, seen.clone())),
        Trust::Ca(ca) => server_verifier(&[ca])?,
        Trust::AnyOf(cas) => server_verifier(&cas)?,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(identity.chain, identity.key)
            .map_err(unusable)?,
    };
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
    Ok((config, seen))
}

fn server_verifier(cas: &[CertificateDer<'static>]) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots(cas)?), provider())
        .build()
        .map_err(unusable)
}

fn roots(cas: &[CertificateDer<'static>]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for ca in cas {
        roots.add(ca.clone()).map_err(unusable)?;
    }
    Ok(roots)
}

fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
) -> Result<CertifiedKey, TlsError> {
    CertifiedKey::from_der(chain, key.clone_key(), &provider()).map_err(unusable)
}

fn unusable(err: impl std::fmt::Display) -> TlsError {
    TlsError::Unusable(err.to_string())
}

/// HTTP/2 as ALPN names it.
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";

/// HTTP/1.1 as ALPN names it.
pub(crate) const ALPN_HTTP1: &[u8] = b"http/1.1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestCa;

    #[test]
    fn a_key_that_does_not_match_the_certificate_is_refused_and_the_old_one_stays() {
        let ca = TestCa::new("handle");
        let (one, two) = (ca.issue(&["localhost"]), ca.issue(&["localhost"]));
        let handle = CertificateHandle::new(one.chain.clone(), &one.key).unwrap();
        assert!(matches!(
            handle.replace(one.chain.clone(), &two.key),
            Err(TlsError::Unusable(_))
        ));
        assert_eq!(handle.0.0.load().cert, one.chain);
        handle.replace(two.chain.clone(), &two.key).unwrap();
        assert_eq!(handle.0.0.load().cert, two.chain);
    }
}
