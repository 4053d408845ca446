//! Which host is calling, by the certificate that it showed in the TLS handshake.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use keyroster_api::ProblemKind;
use keyroster_edge::PeerCertificate;
use keyroster_roster::{Actor, Timestamp};
use keyroster_store::{HostCredential, Showing, Shown};
use moka::sync::Cache;
use rustls::pki_types::CertificateDer;

use crate::app::App;
use crate::error::{Answer, ApiError, model_error};
use crate::host_identity::{HostIdentity, NotAHost};
use crate::limits::MAX_CACHED_IDENTITIES;

/// A host with a certificate of our CA. Whether it may still use that certificate is decided by [`admit`].
#[derive(Debug, Clone)]
pub struct Caller(Arc<Known>);

/// What stands in a certificate.
#[derive(Debug)]
struct Known {
    identity: HostIdentity,
    issued_at: Timestamp,
    /// Which key it was issued with.
    issuer: Option<Vec<u8>>,
}

/// What stands in certificates that were seen lately, so that each is read once and not at each request.
#[derive(Debug)]
pub struct KnownCertificates(Cache<CertificateDer<'static>, Result<Arc<Known>, NotAHost>>);

impl KnownCertificates {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Cache::new(MAX_CACHED_IDENTITIES))
    }

    fn read(&self, certificate: &CertificateDer<'static>) -> Result<Arc<Known>, NotAHost> {
        if let Some(known) = self.0.get(certificate) {
            return known;
        }
        let read = HostIdentity::with_issue(certificate).map(|(identity, issued_at)| {
            Arc::new(Known {
                identity,
                issued_at,
                issuer: keyroster_edge::issuer_key_id(certificate),
            })
        });
        self.0.insert(certificate.clone(), read.clone());
        read
    }
}

impl Caller {
    /// The key identifier of the CA that issued the certificate.
    #[must_use]
    pub fn issuer(&self) -> Option<&[u8]> {
        self.0.issuer.as_deref()
    }
}

impl Default for KnownCertificates {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Caller {
    type Target = HostIdentity;

    fn deref(&self) -> &HostIdentity {
        &self.0.identity
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        let Some(PeerCertificate(Some(certificate))) = parts.extensions.get() else {
            return Err(refused(
                app,
                ProblemKind::Unauthenticated,
                "this needs a host's client certificate",
            ));
        };
        let identity = app.certificates.read(certificate);
        identity.map(Self).map_err(|NotAHost| {
            refused(
                app,
                ProblemKind::Forbidden,
                "the client certificate is not a host's",
            )
        })
    }
}

/// Lets a host in by the certificate that it shows, takes note of the first use of a new one, and locks the host when an old
/// one is used.
///
/// # Errors
/// When the host is out.
pub async fn admit(app: &App, caller: &Caller, credential: Option<HostCredential>) -> Answer<()> {
    let now = app.now();
    let Some(credential) = credential else {
        return Err(unknown(app, caller));
    };
    let shown = credential.judge(caller.generation, now);
    match shown {
        Shown::HostRemoved => return Err(gone(caller)),
        Shown::Current | Shown::Overlapping => return Ok(()),
        Shown::Next | Shown::Ahead { .. } | Shown::Superseded => {}
    }
    let actor = Actor::parse(&format!("host:{}", caller.host)).map_err(model_error("id"))?;
    let writer = app.store.write(&actor, now);
    let showing = match shown {
        Shown::Ahead { restored_at } if caller.0.issued_at <= restored_at => {
            tracing::warn!(host = %caller.host, generation = caller.generation, "a host's certificate is taken that the restored roster forgot");
            writer
                .adopt_certificate(&caller.host, caller.generation)
                .await
        }
        _ => {
            writer
                .show_certificate(&caller.host, caller.generation)
                .await
        }
    };
    app.catch_up().await;
    match showing? {
        Showing::Good | Showing::Rotated(_) => Ok(()),
        Showing::Locked(_) => Err(locked(caller)),
        Showing::HostGone => Err(gone(caller)),
    }
}

/// Lets a host in that wants to do more than look.
///
/// # Errors
/// When the host is out, or nothing can be decided.
pub async fn admit_to_write(app: &App, caller: &Caller) -> Answer<()> {
    let credential = app
        .store
        .read()
        .await?
        .host_credential(&caller.host)
        .await?;
    admit(app, caller, credential).await
}

/// A host with a certificate of our CA that is not in the roster. Hosts are never deleted, so the roster has gone back to before
/// it was enrolled: that the host is out is nothing that anybody decided.
fn unknown(app: &App, caller: &Caller) -> ApiError {
    app.went_back.tell(
        app,
        caller,
        "the roster does not know a host with a certificate of its own CA",
    );
    ApiError::Unavailable("the roster does not know this host, though its certificate is genuine")
}

/// The host is not in the roster any more.
pub fn gone(caller: &Caller) -> ApiError {
    // It may go on asking for ever, so that this is no news.
    tracing::debug!(host = %caller.host, "a host that is not in the roster was refused");
    ApiError::hinted(
        ProblemKind::HostGone,
        "the host is not in the roster",
        ENROL_AGAIN,
    )
}

/// Somebody used a certificate of the host's that another has taken the place of: an alert.
pub fn locked(caller: &Caller) -> ApiError {
    tracing::error!(
        host = %caller.host,
        generation = caller.generation,
        "an old certificate of a host was used: somebody has a copy, and the host is locked"
    );
    ApiError::hinted(
        ProblemKind::HostGone,
        "the host's certificate was superseded, and the host is locked",
        ENROL_AGAIN,
    )
}

fn refused(app: &App, kind: ProblemKind, why: &str) -> ApiError {
    app.metrics.refused_credentials.increment(1);
    ApiError::refused(kind, why)
}

const ENROL_AGAIN: &str = "enrol it again with a new enrolment token";
