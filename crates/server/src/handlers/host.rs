//! What a host asks for itself, with its certificate in hand: its snapshot, and its next certificate.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use keyroster_api::asks::{self, Asking, Naming};
use keyroster_api::enroll::{RenewCertificate, RenewedCertificate};
use keyroster_api::heartbeat::Nonce;
use keyroster_api::paths;
use keyroster_api::snapshot::{CONTENT_TYPE, Tag};
use keyroster_api::update;
use keyroster_roster::Actor;
use keyroster_store::{Confirmation, Renewal};
use tokio::time::Instant;

use crate::app::App;
use crate::caller::{self, Caller};
use crate::certificate_request::CertificateRequest;
use crate::document::Document;
use crate::error::{Answer, ApiError, model_error};
use crate::extract::Json;
use crate::handlers::host_keys::GoesBy;
use crate::heartbeat::{self, Standing};
use crate::host_identity::HostIdentity;
use crate::later::{self, Later};
use crate::limits::MAX_LOOKS;
use crate::prefer;
use crate::snapshots::{Question, Reads, Told};
use crate::waiting::Waiter;

/// The calling host's snapshot
///
/// A signed document: see `docs/snapshot.md`. Its entity tag is `"<epoch>.<revision>"`; with `If-None-Match` a host is told
/// that it has the newest, and says that it holds that one on disk. With `Prefer: wait=<seconds>` it is told so only when
/// nothing has changed for it in that time, 50 seconds at most. With a nonce the answer carries a signed heartbeat for it.
/// A host that names `application/vnd.keyroster.update` in `Accept` may be told what changed instead of everything.
#[utoipa::path(get, path = paths::HOST_SNAPSHOT, tag = "hosts' own",
    params(("If-None-Match" = Option<String>, Header, description = "The entity tag of the snapshot that the host has"),
        ("Prefer" = Option<String>, Header, description = "`wait=<seconds>`: how long the host is ready to wait for a change"),
        ("Keyroster-Asks" = Option<String>, Header, description = "`each-login` on a host without the daemon; `beside-daemon` when one runs and what is named confirms nothing"),
        ("Keyroster-Keys" = Option<u64>, Header, description = "The serial of the set of snapshot keys and CAs that the host goes by"),
        ("Keyroster-Nonce" = Option<String>, Header, description = "16 random bytes in base64url, made anew for each request")),
    responses(
        (status = 200, description = "The signed document", body = Vec<u8>, content_type = CONTENT_TYPE,
            headers(("Keyroster-Heartbeat" = String, description = "With a nonce: a signed document in base64, which says what holds now"),
                ("Keyroster-Keys" = u64, description = "Once a key or a CA was exchanged: the serial of the newest set of both"),
                ("Keyroster-Renew-Within" = u64, description = "Where the host's certificate is of a CA that is about to go: seconds within which it renews it"))),
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
    let goes_by = GoesBy::of(&app, &caller, &headers);
    let asking = headers.get(asks::HEADER).map(HeaderValue::as_bytes);
    let span = match goes_by.is_to_be_told(&app, &caller.host) {
        true => None,
        false => held.and_then(|_| prefer::wait(&headers, app.limits.wait)),
    };
    // The wait begins before the look, so that no change falls between the two.
    let wait = span.and_then(|span| Some((span, app.waiting.begin(&caller.host)?)));
    let look = Look {
        caller,
        held,
        reads: reads(&headers),
        asking: Asking::from_header(asking),
        nonce,
        goes_by,
    };
    let seen = look.look(&app).await?;
    let Some((span, waiter)) = wait else {
        return look.tell(&app, seen);
    };
    if let Seen::Unchanged(_, at) = seen {
        let wait = SnapshotWait {
            look,
            seen: at,
            span,
            until: Instant::now() + span,
            waiter,
        };
        // What is told is found after the wait.
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        later::put(&mut response, Later::Snapshot(wait));
        return Ok(response);
    }
    let mut response = look.tell(&app, seen)?;
    response.headers_mut().extend(prefer::applied(span));
    Ok(response)
}

/// A host's look at its snapshot.
#[derive(Debug)]
struct Look {
    caller: Caller,
    held: Option<Tag>,
    reads: Reads,
    asking: Asking,
    nonce: Option<Nonce>,
    goes_by: GoesBy,
}

/// What a look has found, and at which state of the roster.
enum Seen {
    /// What the host holds says what the roster says.
    Unchanged(Tag, Tag),
    /// This is to be told.
    Document(Document, Tag),
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
        let place = app.woken.acquire().await;
        let _place = place.map_err(|_| ApiError::Bug("nobody closes this semaphore"))?;
        let seen = self.look.look(app).await?;
        let mut response = self.look.tell(app, seen)?;
        response.headers_mut().extend(prefer::applied(self.span));
        Ok(response)
    }
}

impl Look {
    /// Looks, and takes note of what the host holds.
    async fn look(&self, app: &App) -> Answer<Seen> {
        let host = &self.caller.host;
        let question = Question {
            host,
            held: self.held,
            reads: self.reads,
        };
        for _ in 0..MAX_LOOKS {
            let view = app.estate.view(app, host, self.held).await?;
            let credential = view.standing.as_ref().map(|standing| standing.credential);
            caller::admit(app, &self.caller, credential).await?;
            let Some(standing) = &view.standing else {
                return Err(caller::gone(&self.caller));
            };
            match app.snapshots.tell(app, question, standing, view.at).await? {
                Told::Moved => app.estate.forward_from(app, view.at).await?,
                Told::Unchanged(tag) => {
                    self.confirm(app, Some(view.at), view.at);
                    return Ok(Seen::Unchanged(tag, view.at));
                }
                Told::Document(document) => {
                    if self.held > Some(view.at) {
                        app.went_back.suspect(app, &self.caller, self.held).await;
                    }
                    self.confirm(app, self.held, view.at);
                    return Ok(Seen::Document(document, view.at));
                }
            }
        }
        Err(ApiError::Unavailable("the roster changes too fast"))
    }

    /// The answer, with its heartbeat.
    fn tell(&self, app: &App, seen: Seen) -> Answer<Response> {
        match seen {
            Seen::Unchanged(tag, at) => {
                let etag = HeaderValue::from_str(&tag.to_header())
                    .map_err(|_| ApiError::Bug("a tag is no header"))?;
                let headers = [(header::ETAG, etag), NOT_TO_BE_KEPT];
                let heartbeat = self.heartbeat(app, Standing { tag, at })?;
                let heartbeat = AppendHeaders(heartbeat);
                let beside = AppendHeaders(self.goes_by.headers(app));
                Ok((StatusCode::NOT_MODIFIED, headers, heartbeat, beside).into_response())
            }
            Seen::Document(document, at) => {
                let tag = document.tag;
                let content_type = HeaderValue::from_static(document.content_type);
                let headers = [
                    (header::ETAG, document.etag),
                    NOT_TO_BE_KEPT,
                    (header::CONTENT_TYPE, content_type),
                ];
                let heartbeat = self.heartbeat(app, Standing { tag, at })?;
                let beside = AppendHeaders(heartbeat.into_iter().chain(self.goes_by.headers(app)));
                Ok((headers, beside, document.bytes).into_response())
            }
        }
    }

    fn heartbeat(
        &self,
        app: &App,
        standing: Standing,
    ) -> Answer<Option<(HeaderName, HeaderValue)>> {
        let nonce = self.nonce;
        nonce
            .map(|nonce| heartbeat::header(app, &self.caller.host, nonce, standing))
            .transpose()
    }

    /// Takes note of what the host holds, and that it is answered. What says the same as the roster at a later state is as
    /// good as that state; what claims to be newer than the roster is no state that this roster had.
    fn confirm(&self, app: &App, held: Option<Tag>, at: Tag) {
        let nothing = Confirmation::of_nothing(app.now(), self.asking.asks());
        let said = match (self.asking.naming(), held.filter(|held| *held <= at)) {
            (Naming::Confirms, Some(held)) => Confirmation {
                epoch: held.epoch,
                revision: held.revision,
                ..nothing
            },
            _ => nothing,
        };
        app.confirmations.hear(&self.caller.host, said);
        self.goes_by
            .hear(app, &self.caller.host, self.asking.naming());
    }
}

/// Which documents a host reads, by what it would like to be answered with.
fn reads(headers: &HeaderMap) -> Reads {
    let values = headers.get_all(header::ACCEPT).iter();
    let mut types = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|kind| kind.split(';').next());
    match types.any(|kind| kind.trim().eq_ignore_ascii_case(update::CONTENT_TYPE)) {
        true => Reads::Updates,
        false => Reads::Snapshots,
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

/// It is for one host, and whether it still holds must be asked.
const NOT_TO_BE_KEPT: (HeaderName, HeaderValue) = (
    header::CACHE_CONTROL,
    HeaderValue::from_static("private, no-cache"),
);
