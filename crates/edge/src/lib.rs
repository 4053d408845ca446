//! The one place that builds TLS, HTTP clients and servers, and logging.
//!
//! The libraries underneath have defaults for a browser's world: no deadlines, ten redirects, proxies from the environment,
//! every root of the system, bodies without end. Each of those is a hole here, so nobody else in the workspace may build a
//! client or a listener (`clippy.toml` enforces it), and every limit is a named constant beside the code that applies it,
//! with a test that fails without it.
//!
//! This crate knows nothing about users, hosts or snapshots; it depends on none of ours.

mod body;
pub mod client;
mod crypto;
mod error;
pub mod log;
mod pem;
mod pin;
mod probe;
pub mod server;
mod tls;
mod vouch;

#[cfg(test)]
mod testing;

pub use body::bounded_body;
pub use client::{
    Answer, CONNECT_TIMEOUT, ClientLimits, HttpClient, Identity, READ_TIMEOUT, TOTAL_TIMEOUT,
    Trust, http_client,
};
pub use crypto::install_provider;
pub use error::{ClientError, FetchError, TlsError, Transport};
pub use pem::{
    certificate_from_pem, certificate_to_pem, certificates_from_pem, private_key_from_pem,
};
pub use pin::{CaPin, PinError};
pub use probe::probe;
pub use reqwest::RequestBuilder;
pub use server::{Drained, PeerAddr, PeerCertificate, ServerLimits, listen, serve};
pub use tls::{CertificateHandle, server_config};
pub use vouch::{is_self_issued, issuer_key_id, key_id, vouches};
