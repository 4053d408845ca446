//! What a host asks for itself, with its certificate in hand: its snapshot, and its next certificate.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use keyroster_api::enroll::{RenewCertificate, RenewedCertificate};
use keyroster_api::heartbeat::Nonce;
use keyroster_api::paths;
use keyroster_api::snapshot::{CONTENT_TYPE, Tag};
use keyroster_roster::Actor;
use keyroster_store::Renewal;
use tokio::time::Instant;

use crate::app::App;
use crate::caller::{self, Caller};
use crate::certificate_request::CertificateRequest;
use crate::error::{Answer, ApiError, model_error};
use crate::extract::Json;
use crate::heartbeat::{self, Standing};
use crate::host_identity::HostIdentity;
use crate::later::{self, Later};
use crate::prefer;
use crate::waiting::Waiter;

/// The calling host's snapshot
///
/// A signed document: see `docs/snapshot.md`. Its entity tag is `"<epoch>.<revision>"`; with `If-None-Match` a host is told
/// that it has the newest, and says that it holds that one on disk. With `Prefer: wait=<seconds>` it is told so only when
/// nothing has changed for it in that time, 50 seconds at most. With a nonce the answer carries a signed heartbeat for it.
#[utoipa::path(get, path = paths::HOST_SNAPSHOT, tag = "hosts' own",
    params(("If-None-Match" = Option<String>, Header, description = "The entity tag of the snapshot that the host has"),
        ("Prefer" = Option<String>, Header, description = "`wait=<seconds>`: how long the host is ready to wait for a change"),
        ("Keyroster-Nonce" = Option<String>, Header, description = "16 random bytes in base64url, made anew for each request")),
    responses(
        (status = 200, description = "The signed document", body = Vec<u8>, content_type = CONTENT_TYPE,
            headers(("Keyroster-Heartbeat" = String, description = "With a nonce: a signed document in base64, which says what holds now"))),
        (status = 304, description = "The host has the newest",
            headers(("Keyroster-Heartbeat" = String, description = "As with 200")))))]
pub async fn snapshot(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Answer<Response> {
    let held = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| Tag::from_header(value.to_str().ok()?).ok());
    let nonce = heartbeat::nonce(&headers)?;
    let span = held.and_then(|_| prefer::wait(&headers, app.limits.wait));
    // The wait begins before the look, so that no change falls between the two.
    let wait = span.and_then(|span| Some((span, app.waiting.begin(&caller.host)?)));
    let look = Look {
        caller,
        held,
        nonce,
    };
    let (mut response, seen) = look.answer(&app).await?;
    let Some((span, waiter)) = wait else {
        return Ok(response);
    };
    if response.status() == StatusCode::NOT_MODIFIED {
        let until = Instant::now() + span;
        let wait = SnapshotWait {
            look,
            seen,
            span,
            until,
            waiter,
        };
        later::put(&mut response, Later::Snapshot(wait));
    } else {
        response.headers_mut().extend(prefer::applied(span));
    }
    Ok(response)
}

/// A host's look at its snapshot.
#[derive(Debug)]
struct Look {
    caller: Caller,
    held: Option<Tag>,
    nonce: Option<Nonce>,
}

/// A host that waits for a change.
#[derive(Debug)]
pub struct SnapshotWait {
    look: Look,
    /// The state of the roster at which nothing had changed for it.
    seen: Tag,
    span: Duration,
    until: Instant,
    waiter: Waiter,
}

impl SnapshotWait {
    /// Waits.
    pub async fn wait(&mut self, app: &App) {
        let end = self.waiter.wait(self.seen, self.until).await;
        app.metrics.waited(end);
    }

    /// Looks again. Who may look is decided again too.
    ///
    /// # Errors
    /// When the host is out, or nothing can be decided.
    pub async fn answer(self, app: &App) -> Answer<Response> {
        let (mut response, _) = self.look.answer(app).await?;
        response.headers_mut().extend(prefer::applied(self.span));
        Ok(response)
    }
}

impl Look {
    /// The answer, and the state of the roster of which it is.
    async fn answer(&self, app: &App) -> Answer<(Response, Tag)> {
        let known = app.snapshots.get(app, &self.caller.host, self.held).await?;
        caller::admit(app, &self.caller, known.credential).await?;
        let Some(document) = &known.document else {
            return Err(caller::gone(&self.caller));
        };
        let heartbeat = self.nonce.map(|nonce| {
            let standing = Standing {
                tag: document.tag,
                at: known.at,
            };
            heartbeat::header(app, &self.caller.host, nonce, standing)
        });
        let heartbeat = heartbeat.transpose()?;
        let is_newest = self.held == Some(document.tag);
        if self.held > Some(known.at) {
            app.went_back.suspect(app, &self.caller, self.held).await;
        }
        self.confirm(
            app,
            if is_newest { Some(known.at) } else { self.held },
            known.at,
        );
        let headers = [
            (header::ETAG, document.etag.clone()),
            (
                header::CACHE_CONTROL,
                HeaderValue::from_static("private, no-cache"),
            ),
        ];
        if is_newest {
            let response = (StatusCode::NOT_MODIFIED, headers, AppendHeaders(heartbeat));
            return Ok((response.into_response(), known.at));
        }
        let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))];
        let body = document.bytes.clone();
        let response = (headers, content_type, AppendHeaders(heartbeat), body);
        Ok((response.into_response(), known.at))
    }

    /// Takes note of what the host holds. What says the same as the roster at a later state is as good as that state; what
    /// claims to be newer than the roster is no state that this roster had.
    fn confirm(&self, app: &App, held: Option<Tag>, at: Tag) {
        if let Some(held) = held.filter(|held| *held <= at) {
            app.confirmations.hear(&self.caller.host, held, app.now());
        }
    }
}

/// A new certificate for the calling host
///
/// The old one stays good until the new one is used for the first time. Whoever uses it later holds a copy: the host is
/// locked.
#[utoipa::path(post, path = paths::HOST_CERTIFICATE, tag = "hosts' own", request_body = RenewCertificate,
    responses((status = 200, description = "The certificate", body = RenewedCertificate)))]
pub async fn renew_certificate(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<RenewCertificate>,
) -> Answer<Json<RenewedCertificate>> {
    let request =
        CertificateRequest::parse(&body.csr).map_err(|error| ApiError::invalid("csr", &error))?;
    caller::admit_to_write(&app, &caller).await?;
    let now = app.now();
    let actor = Actor::parse(&format!("host:{}", caller.host)).map_err(model_error("id"))?;
    match app
        .store
        .write(&actor, now)
        .renew_certificate(&caller.host, caller.generation)
        .await?
    {
        Renewal::Issue { generation, .. } => {
            let identity = HostIdentity {
                host: caller.host.clone(),
                generation,
            };
            let certificate = app
                .ca
                .issue_host(&request, &identity, now, app.new_serial()?)?;
            Ok(Json(RenewedCertificate { certificate }))
        }
        Renewal::Locked(_) => Err(caller::locked(&caller)),
        Renewal::HostGone => Err(caller::gone(&caller)),
    }
}
