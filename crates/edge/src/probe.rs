//! A handshake and nothing behind it: what a server shows, for whoever looks for faults.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{Identity, Trust};
use crate::error::{ClientError, FetchError, Transport};
use crate::tls::client_config;

/// Shakes hands with a server and returns the certificate that it shows, if it is to be believed.
///
/// # Errors
/// When the credential can't be used.
pub async fn probe(
    (host, port): (&str, u16),
    trust: Trust,
    identity: Option<Identity>,
    limit: Duration,
) -> Result<Result<CertificateDer<'static>, FetchError>, ClientError> {
    let (config, _) = client_config(trust, identity)?;
    let connector = TlsConnector::from(Arc::new(config));
    let shaken = tokio::time::timeout(limit, shake_hands(host, port, &connector)).await;
    Ok(shaken.unwrap_or_else(|_| Err(FetchError::transport(Transport::Timeout, TOO_SLOW))))
}

async fn shake_hands(
    host: &str,
    port: u16,
    connector: &TlsConnector,
) -> Result<CertificateDer<'static>, FetchError> {
    let tls = |detail: String| FetchError::transport(Transport::Tls, detail);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|err| tls(err.to_string()))?;
    let stream = TcpStream::connect((bare, port))
        .await
        .map_err(|err| FetchError::transport(Transport::Connect, err.to_string()))?;
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|err| tls(err.to_string()))?;
    let (_, connection) = stream.get_ref();
    let shown = connection.peer_certificates().and_then(<[_]>::first);
    shown
        .map(|certificate| certificate.clone().into_owned())
        .ok_or_else(|| tls("the server shows no certificate".to_owned()))
}

const TOO_SLOW: &str = "the handshake took too long";
