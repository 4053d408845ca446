//! The list of revoked keys, for hosts that refuse them wherever they find them.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use keyroster_api::paths;
use keyroster_api::revoked_keys::{CONTENT_TYPE, parse_tag};
use keyroster_api::snapshot::{Tag, TagError};
use serde::Deserialize;
use tokio::time::Instant;

use crate::app::App;
use crate::caller::{self, Caller};
use crate::error::{Answer, ApiError};
use crate::extract::Params;
use crate::later::{self, Later};
use crate::prefer;
use crate::waiting::Waiter;

/// What stands in the query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    since: Option<String>,
}

/// The revoked keys
///
/// A signed document, the same for every host: see `docs/revoked-keys.md`. Its entity tag is `"<epoch>.<revision>"`, with the
/// newest revision that changed the list. With `since` it may hold the additions to that list alone. `If-None-Match` and
/// `Prefer: wait=<seconds>` are as for the snapshot.
#[utoipa::path(get, path = paths::HOST_REVOKED_KEYS, tag = "hosts' own",
    params(("since" = Option<String>, Query, description = "The list that the host has, as `<epoch>.<revision>`"),
        ("If-None-Match" = Option<String>, Header, description = "The entity tag of the list that the host has"),
        ("Prefer" = Option<String>, Header, description = "`wait=<seconds>`: how long the host is ready to wait for a change")),
    responses(
        (status = 200, description = "The signed document", body = Vec<u8>, content_type = CONTENT_TYPE),
        (status = 304, description = "The host has the newest")))]
pub async fn revoked_keys(
    State(app): State<App>,
    caller: Caller,
    Params(query): Params<Query>,
    headers: HeaderMap,
) -> Answer<Response> {
    let since = query.since.as_deref();
    let since = since.map(|text| parse_tag(text).ok_or(TagError));
    let since = since
        .transpose()
        .map_err(|error| ApiError::invalid("since", &error))?;
    let held = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| Tag::from_header(value.to_str().ok()?).ok());
    let span = held.and_then(|_| prefer::wait(&headers, app.limits.wait));
    // The wait begins before the look, so that no change falls between the two.
    let wait = span.and_then(|span| Some((span, app.listening.begin(&caller.host)?)));
    let look = Look {
        caller,
        held,
        since,
    };
    let (mut response, seen) = look.answer(&app).await?;
    let Some((span, waiter)) = wait else {
        return Ok(response);
    };
    if response.status() == StatusCode::NOT_MODIFIED {
        let until = Instant::now() + span;
        let wait = ListWait {
            look,
            seen,
            span,
            until,
            waiter,
        };
        later::put(&mut response, Later::RevokedKeys(wait));
    } else {
        response.headers_mut().extend(prefer::applied(span));
    }
    Ok(response)
}

/// A host's look at the list.
#[derive(Debug)]
struct Look {
    caller: Caller,
    held: Option<Tag>,
    since: Option<Tag>,
}

/// A host that waits for a change of the list.
#[derive(Debug)]
pub struct ListWait {
    look: Look,
    /// The state of the roster at which it had not changed.
    seen: Tag,
    span: Duration,
    until: Instant,
    waiter: Waiter,
}

impl ListWait {
    /// Waits.
    pub async fn wait(&mut self, app: &App) {
        let end = self.waiter.wait(self.seen, self.until).await;
        app.metrics.listened(end);
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
        let view = app.estate.view(app, &self.caller.host, None).await?;
        let credential = view.standing.map(|standing| standing.credential);
        caller::admit(app, &self.caller, credential).await?;
        let known = app.revoked_keys.get(app, self.held).await?;
        let documents = &known.documents;
        let headers = [
            (header::ETAG, documents.etag.clone()),
            (
                header::CACHE_CONTROL,
                HeaderValue::from_static("private, no-cache"),
            ),
        ];
        let response = if self.held == Some(documents.tag()) {
            (StatusCode::NOT_MODIFIED, headers).into_response()
        } else {
            let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))];
            let bytes = documents.bytes(app, self.since).await?;
            (headers, content_type, bytes).into_response()
        };
        Ok((response, known.at))
    }
}
