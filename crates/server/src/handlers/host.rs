//! What a host asks for itself, with its certificate in hand: its snapshot, and its next certificate.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use keyroster_api::enroll::{RenewCertificate, RenewedCertificate};
use keyroster_api::paths;
use keyroster_api::snapshot::{CONTENT_TYPE, Tag};
use keyroster_roster::Actor;
use keyroster_store::Renewal;

use crate::app::App;
use crate::caller::{self, Caller};
use crate::certificate_request::CertificateRequest;
use crate::error::{Answer, ApiError, model_error};
use crate::extract::Json;
use crate::host_identity::HostIdentity;

/// The calling host's snapshot
///
/// A signed document: see `docs/snapshot.md`. Its entity tag is `"<epoch>.<revision>"`; with `If-None-Match` a host is told
/// that it has the newest.
#[utoipa::path(get, path = paths::HOST_SNAPSHOT, tag = "hosts' own",
    params(("If-None-Match" = Option<String>, Header, description = "The entity tag of the snapshot that the host has")),
    responses(
        (status = 200, description = "The signed document", body = Vec<u8>, content_type = CONTENT_TYPE),
        (status = 304, description = "The host has the newest")))]
pub async fn snapshot(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Answer<Response> {
    let held = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| Tag::from_header(value.to_str().ok()?).ok());
    let known = app.snapshots.get(&app, &caller.host, held).await?;
    caller::admit(&app, &caller, known.credential).await?;
    let Some(document) = &known.document else {
        return Err(caller::gone(&caller));
    };
    let headers = [
        (header::ETAG, document.etag.clone()),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-cache"),
        ),
    ];
    if held == Some(document.tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))];
    Ok((headers, content_type, document.bytes.clone()).into_response())
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
