//! What happens around every request: its id, its place in the queue, its deadline, its line in the log.
//!
//! One middleware and not a stack of them, since the answer to a host that asks whether anything changed is a few
//! microseconds of work, and each layer would cost one of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use keyroster_api::ProblemKind;
use keyroster_edge::PeerAddr;
use tokio::time::Instant;

use crate::app::App;
use crate::auth::Bearer;
use crate::error::{Answered, ApiError};
use crate::later::{self, Later};

/// Ids of requests: a count from a random start, so that those of two servers do not meet.
#[derive(Debug)]
pub struct RequestIds(AtomicU64);

impl RequestIds {
    /// Counts from `start`.
    #[must_use]
    pub const fn from(start: u64) -> Self {
        Self(AtomicU64::new(start))
    }

    fn next(&self) -> String {
        format!("{:016x}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Answers, or says that it can't in time or at all.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let told = Told::of(&app, &request);
    let mut response = match app.requests.try_acquire() {
        Err(_) => ApiError::Unavailable("too many requests are worked on").into_response(),
        Ok(_place) => in_time(&app, next.run(request)).await,
    };
    if let Some(later) = later::take(&mut response) {
        response = finish(&app, later, response).await;
    }
    if let Ok(id) = HeaderValue::from_str(&told.id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    told.tell(&app, &response);
    response
}

async fn in_time(app: &App, answer: impl Future<Output = Response>) -> Response {
    let done = tokio::time::timeout(app.limits.total, answer).await;
    done.unwrap_or_else(|_| {
        ApiError::Unavailable("the request was not done in time; it may have been carried out")
            .into_response()
    })
}

/// The better answer that was worth waiting for. The wait takes no place and knows only its own deadline, or those who wait
/// would keep out those who work.
///
/// Thousands of hosts wait here at one time, so that nothing is kept but what they wait for: not the first answer, and no room
/// for the work on the second, which would be kilobytes for each.
async fn finish(app: &App, mut later: Later, first: Response) -> Response {
    let bearer = first.extensions().get::<Bearer>().cloned();
    drop(first);
    later.wait(app).await;
    let mut response = in_time(app, Box::pin(later.answer(app))).await;
    if let Some(bearer) = bearer {
        response.extensions_mut().insert(bearer);
    }
    response
}

/// A path that is not there.
pub async fn no_such_path() -> ApiError {
    ApiError::refused(ProblemKind::NotFound, "there is no such path")
}

/// A path that is there, but not for this method.
pub async fn not_this_method(method: Method) -> ApiError {
    ApiError::refused(
        ProblemKind::MethodNotAllowed,
        format!("the path does not take {method}"),
    )
}

/// What the log says of a request. No query and no body, for those may hold what is nobody's business.
struct Told {
    id: String,
    method: Method,
    path: String,
    route: Option<MatchedPath>,
    peer: Option<PeerAddr>,
    begun: Instant,
}

impl Told {
    fn of(app: &App, request: &Request) -> Self {
        Self {
            id: app.request_ids.next(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            peer: request.extensions().get::<PeerAddr>().copied(),
            begun: Instant::now(),
        }
    }

    fn tell(&self, app: &App, response: &Response) {
        let status = response.status();
        let took = self.begun.elapsed();
        let route = self.route.as_ref().map_or("none", MatchedPath::as_str);
        app.metrics.request(&self.method, route, status);
        // Hosts ask all the time, and scrapers too: what is news of theirs is logged where it happens.
        let quiet = route.starts_with("/v1/host/") || !route.starts_with("/v1/");
        if quiet && !status.is_server_error() {
            self.debug(response, took);
        } else {
            self.info(response, took);
        }
    }

    fn info(&self, response: &Response, took: Duration) {
        let (peer, actor, problem) = self.who(response);
        let (status, took_us) = (response.status().as_u16(), micros(took));
        tracing::info!(request = self.id, method = %self.method, path = self.path, status, problem, actor, peer, took_us, "request");
    }

    fn debug(&self, response: &Response, took: Duration) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            let (peer, actor, problem) = self.who(response);
            let (status, took_us) = (response.status().as_u16(), micros(took));
            tracing::debug!(request = self.id, method = %self.method, path = self.path, status, problem, actor, peer, took_us, "request");
        }
    }

    fn who<'a>(&self, response: &'a Response) -> (String, &'a str, &'static str) {
        let peer = self.peer.map(|peer| peer.0.to_string()).unwrap_or_default();
        let actor = response
            .extensions()
            .get::<Bearer>()
            .map_or("", |bearer| bearer.actor.as_str());
        let problem = response
            .extensions()
            .get::<Answered>()
            .map_or("", |answered| answered.0.slug());
        (peer, actor, problem)
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Names a request in the answer and in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of what an asynchronous function gives back before it runs.
    const fn size_of_future<F, A, B, C, R>(_: &F) -> usize
    where
        F: Fn(A, B, C) -> R,
    {
        size_of::<R>()
    }

    #[test]
    fn a_request_that_waits_keeps_no_room_for_the_work_after_the_wait() {
        let size = size_of_future(&guard);
        assert!(size <= MAX_WAITING_BYTES, "{size}");
    }

    /// Bytes of what is kept of a request while it waits; with room for the work it would be ten times as much.
    const MAX_WAITING_BYTES: usize = 4 * 1024;
}
