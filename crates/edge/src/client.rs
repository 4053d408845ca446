//! The HTTP client.
//!
//! It speaks https to the host in the URL and to nobody else: redirects, proxies, the environment and the system's roots
//! are off, and so is decompression, which would let a few kilobytes become gigabytes behind the body cap. Every wait has
//! a deadline. The CLI and the host agent both use it as it is.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::body::bounded_body;
use crate::error::{ClientError, FetchError};
use crate::pin::{CaPin, SeenCa};
use crate::tls::client_config;

/// Whom to believe.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Servers that this CA vouches for; the only root.
    Ca(CertificateDer<'static>),
    /// Servers that one of these CAs vouches for, as while one takes the place of another.
    AnyOf(Vec<CertificateDer<'static>>),
    /// First contact: servers whose chain contains the CA with this pin.
    Pinned(CaPin),
}

/// The certificate that the client shows, leaf first, and its key.
pub struct Identity {
    /// The chain, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's private key.
    pub key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// The client's deadlines.
#[derive(Debug, Clone, Copy)]
pub struct ClientLimits {
    /// Name resolution, TCP and TLS together.
    pub connect: Duration,
    /// The longest silence while an answer comes.
    pub read: Duration,
    /// From the first step to the last byte of the body.
    pub total: Duration,
}

impl ClientLimits {
    /// All three capped by one total; what a login can wait for.
    #[must_use]
    pub const fn within(total: Duration) -> Self {
        Self {
            connect: total,
            read: total,
            total,
        }
    }
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect: CONNECT_TIMEOUT,
            read: READ_TIMEOUT,
            total: TOTAL_TIMEOUT,
        }
    }
}

/// An HTTP client with every limit set.
#[derive(Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    seen: SeenCa,
    /// What it was built from. The key in there is shared, and never printed.
    tls: rustls::ClientConfig,
    limits: ClientLimits,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A whole answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, within the caller's cap.
    pub body: Bytes,
}

/// Builds the client.
pub fn http_client(
    trust: Trust,
    identity: Option<Identity>,
    limits: ClientLimits,
) -> Result<HttpClient, ClientError> {
    let (tls, seen) = client_config(trust, identity)?;
    build(tls, seen, limits)
}

fn build(
    tls: rustls::ClientConfig,
    seen: SeenCa,
    limits: ClientLimits,
) -> Result<HttpClient, ClientError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that sets every limit"
    )]
    let builder = reqwest::Client::builder();
    let client = builder
        .tls_backend_preconfigured(tls.clone())
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(limits.connect)
        .read_timeout(limits.read)
        .timeout(limits.total)
        .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
        .http1_max_headers(MAX_RESPONSE_HEADERS)
        .http2_max_header_list_size(MAX_RESPONSE_HEADER_BYTES)
        .http2_initial_stream_window_size(WINDOW_BYTES)
        .http2_initial_connection_window_size(WINDOW_BYTES)
        .tcp_nodelay(true)
        .build()
        .map_err(|err| ClientError::Build(err.to_string()))?;
    Ok(HttpClient {
        client,
        seen,
        tls,
        limits,
    })
}

impl HttpClient {
    /// The same client without the connections that this one has open: one of them may lead nowhere, and an HTTP/2 connection on
    /// which a request ran out of time is used for the next one all the same.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub fn anew(&self) -> Result<Self, ClientError> {
        build(self.tls.clone(), self.seen.clone(), self.limits)
    }

    /// Starts a request; the caller adds headers and body and hands it to [`HttpClient::send`].
    pub fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request and reads the whole answer, its body up to `cap` bytes.
    pub async fn send(
        &self,
        request: reqwest::RequestBuilder,
        cap: usize,
    ) -> Result<Answer, FetchError> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = bounded_body(response, cap).await?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// The CA that a pinned handshake accepted; none before one has, and none when the CA was known from the start.
    #[must_use]
    pub fn ca_seen(&self) -> Option<CertificateDer<'static>> {
        self.seen.get().cloned()
    }
}

impl Answer {
    /// The answer, if its status is a success.
    pub fn success(self) -> Result<Self, FetchError> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(FetchError::Status(self.status))
        }
    }

    /// The media type, without its parameters; empty when there is none.
    #[must_use]
    pub fn media_type(&self) -> &str {
        let value = self
            .headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        value.split(';').next().unwrap_or("").trim()
    }
}

/// Name resolution, TCP and TLS together take no longer.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest silence while an answer comes.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// From the first step to the last byte of the body.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Idle connections kept for the next request; one carries any number of HTTP/2 requests.
const MAX_IDLE_CONNECTIONS: usize = 1;

/// Bytes of an HTTP/2 answer that may come ahead of what has been read of it; they lie in memory beside the body. Over a line on
/// which a byte takes a tenth of a second, that is two and a half megabytes a second.
const WINDOW_BYTES: u32 = 256 * 1024;

/// Header fields in an answer.
const MAX_RESPONSE_HEADERS: usize = 64;

/// Bytes of header fields in an HTTP/2 answer.
const MAX_RESPONSE_HEADER_BYTES: u32 = 16 * 1024;

#[cfg(test)]
mod tests;
