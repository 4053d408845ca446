//! What can go wrong at the edge.

use http::StatusCode;

/// A TLS configuration could not be built. The caller's files are wrong; trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text holds no certificate, several where one is meant, or something broken.
    #[error("text is not the PEM of a certificate")]
    CertificatePem,
    /// The text holds no private key. What it does hold is not repeated.
    #[error("text is not the PEM of a private key")]
    PrivateKeyPem,
    /// The certificate and the key do not belong together, or are of a kind that ring does not know.
    #[error("certificate or key can't be used: {0}")]
    Unusable(String),
}

/// An HTTP client could not be built. The caller's configuration is wrong; trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The CA, the certificate or the key can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP library refused the settings.
    #[error("can't build an HTTP client: {0}")]
    Build(String),
}

/// Why a request brought no usable answer.
///
/// The two variants are worlds apart: after [`FetchError::Transport`] nothing was decided and what is held may serve;
/// [`FetchError::Status`] is the server's word.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer, or not a whole one. Nothing was decided.
    #[error("{kind}: {detail}")]
    Transport {
        /// What broke.
        kind: Transport,
        /// The library's words about it; no secrets, no bodies.
        detail: String,
    },
    /// A whole answer whose status is not a success.
    #[error("server answered {0}")]
    Status(StatusCode),
}

/// What broke on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Transport {
    /// The name did not resolve.
    #[error("name not resolved")]
    Dns,
    /// Nobody accepted the connection.
    #[error("connection refused or unreachable")]
    Connect,
    /// The handshake failed: expired, foreign or wrongly named certificate, or no TLS at all.
    #[error("TLS handshake failed")]
    Tls,
    /// A deadline passed.
    #[error("deadline passed")]
    Timeout,
    /// The connection ended before the answer did.
    #[error("answer truncated")]
    Truncated,
    /// The answer is longer than the caller's cap.
    #[error("answer too large")]
    TooLarge,
    /// What came is not HTTP, or not what the caller can read.
    #[error("answer malformed")]
    Malformed,
}

impl FetchError {
    /// A transport failure with its detail.
    pub fn transport(kind: Transport, detail: impl Into<String>) -> Self {
        Self::Transport {
            kind,
            detail: detail.into(),
        }
    }

    /// Whether the server's certificate is of none of the CAs that are believed.
    #[must_use]
    pub fn is_of_unknown_ca(&self) -> bool {
        match self {
            Self::Transport { kind, detail } => {
                *kind == Transport::Tls && UNKNOWN_CA.iter().any(|it| detail.ends_with(it))
            }
            Self::Status(_) => false,
        }
    }

    /// What broke, when it was the transport.
    #[must_use]
    pub fn transport_kind(&self) -> Option<Transport> {
        match self {
            Self::Transport { kind, .. } => Some(*kind),
            Self::Status(_) => None,
        }
    }
}

impl From<reqwest::Error> for FetchError {
    fn from(err: reqwest::Error) -> Self {
        Self::transport(classify(&err), innermost(&err))
    }
}

/// The HTTP library has one error type for everything; its sources tell the kinds apart.
fn classify(err: &reqwest::Error) -> Transport {
    if err.is_timeout() {
        return Transport::Timeout;
    }
    if err.is_connect() {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(err);
        while let Some(this) = source {
            if is_tls(this) {
                return Transport::Tls;
            }
            // The resolver's wrapper has no public type; its text is all there is.
            if this.to_string().starts_with("dns error") {
                return Transport::Dns;
            }
            source = this.source();
        }
        return Transport::Connect;
    }
    if err.is_body() || err.is_decode() || is_incomplete(err) {
        Transport::Truncated
    } else {
        Transport::Malformed
    }
}

fn is_tls(err: &(dyn std::error::Error + 'static)) -> bool {
    // An I/O error passes over its inner error when it is asked for its source, so that one is asked for by hand.
    let inner = err
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    err.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner))
}

fn is_incomplete(err: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(err);
    while let Some(this) = source {
        if this
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_incomplete_message)
            || this.is::<std::io::Error>()
        {
            return true;
        }
        source = this.source();
    }
    false
}

/// The deepest message, which says what happened; the outer ones repeat the URL.
fn innermost(err: &reqwest::Error) -> String {
    let mut deepest: &(dyn std::error::Error + 'static) = err;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// How the TLS library says it, the second where a CA of the same name is known; a test holds it to that.
const UNKNOWN_CA: [&str; 2] = ["UnknownIssuer", "BadSignature"];
