//! What is there without a roster: the CA, the OpenAPI document, health and metrics.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use keyroster_api::paths;
use keyroster_store::JournalHealth;

use crate::app::App;
use crate::error::{Answer, ApiError};

/// The CA's certificate, PEM
///
/// Needs no credential, and proves nothing by itself: compare its fingerprint with one from elsewhere. While the CA is exchanged there
/// are more: the new one, the old one, and the certificates by which each vouches for the other.
#[utoipa::path(get, path = paths::CA, tag = "service",
    responses((status = 200, description = "The certificate", body = String, content_type = "application/x-pem-file")))]
pub async fn show_ca(State(app): State<App>) -> Response {
    (
        [(header::CONTENT_TYPE, "application/x-pem-file")],
        app.ca.to_pem(),
    )
        .into_response()
}

/// This document
#[utoipa::path(get, path = paths::OPENAPI, tag = "service",
    responses((status = 200, description = "The OpenAPI document", body = Object)))]
pub async fn show_openapi(State(app): State<App>) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        app.openapi.clone(),
    )
        .into_response()
}

/// Whether the process answers
#[utoipa::path(get, path = paths::HEALTHZ, tag = "service",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the database answers
#[utoipa::path(get, path = paths::READYZ, tag = "service",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub async fn readyz(State(app): State<App>) -> Answer<&'static str> {
    match tokio::time::timeout(app.limits.ready, app.store.ping()).await {
        Ok(Ok(())) => Ok(words(&app)),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            Err(ApiError::Unavailable("the database does not answer"))
        }
        Err(_) => Err(ApiError::Unavailable("the database did not answer in time")),
    }
}

/// Ready, with what is not as it should be. A server that can't write its journal serves all the same: taken out of service, it
/// would leave hosts without answers for the sake of a restore that may never come.
fn words(app: &App) -> &'static str {
    let health = app.store.journal().map(|journal| journal.health());
    let ends_soon = app.ca.ends_soon(app.now()).is_some();
    match health.as_ref().map(|health| health.borrow()).as_deref() {
        Some(JournalHealth::Behind(_)) => "ok, but the revocation journal can't be written\n",
        Some(JournalHealth::Kept) | None if ends_soon => "ok, but the CA ends within a year\n",
        Some(JournalHealth::Kept) | None => "ok\n",
    }
}

/// Metrics for Prometheus
#[utoipa::path(get, path = paths::METRICS, tag = "service",
    responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain")))]
pub async fn metrics(State(app): State<App>) -> Response {
    if let Some(days) = app.ca.days_left(app.now()) {
        // A gauge is a float, and ten years are few days.
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        app.metrics.ca_days_left.set(f64::from(days));
    }
    let text = app
        .metrics
        .render(&app.roster, &app.waiting, &app.listening);
    (
        StatusCode::OK,
        [(header::CONTENT_TYPE, PROMETHEUS_TEXT)],
        text,
    )
        .into_response()
}

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4";
