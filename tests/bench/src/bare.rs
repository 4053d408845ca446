//! The least that an axum handler can do: the same number of bytes, from memory, and nothing decided.
//!
//! It stands behind `keyroster_edge::serve`, so that what is compared is the handlers and not two ways to do TLS.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use keyroster_edge::{CertificateHandle, Drained, ServerLimits};
use keyroster_testkit::{CertificateKind, TestCa};
use tokio::net::TcpListener;

/// Serves `--bytes` bytes at `/v1/host/snapshot` on a loopback port of its own choice, and writes the certificate to
/// trust to the file `--ca`.
pub async fn serve(options: BTreeMap<String, String>) -> Result<(), Box<dyn Error>> {
    let bytes: usize = options.get("bytes").ok_or("--bytes is needed")?.parse()?;
    let ca_file = options.get("ca").ok_or("--ca is needed")?;
    let ca = TestCa::new()?;
    std::fs::write(ca_file, ca.certificate_pem())?;
    let (certificate, key) = ca.issue(CertificateKind::Good)?.into_parts();
    let tls =
        keyroster_edge::server_config(&CertificateHandle::new(vec![certificate], &key)?, &[])?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(&listener)?;
    let body = Bytes::from(vec![b'x'; bytes]);
    let handler = get(move || std::future::ready(body.clone()));
    let router: Router = Router::new().route("/v1/host/snapshot", handler);
    let stop = std::future::pending();
    match keyroster_edge::serve(
        listener,
        Arc::clone(&tls),
        router,
        ServerLimits::default(),
        stop,
    )
    .await
    {
        Drained::Completely | Drained::CutOff(_) => Ok(()),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "how whoever started it learns the port"
)]
fn announce(listener: &TcpListener) -> Result<(), Box<dyn Error>> {
    eprintln!("listening on https://{}", listener.local_addr()?);
    Ok(())
}
