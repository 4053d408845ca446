//! What a request can be answered instead of what it asked for.
//!
//! The one place where an error becomes a problem on the wire and, when it is ours and not the client's, a line in the log.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keyroster_api::problem::{self, Problem, ProblemKind};
use keyroster_api::signature::SignatureError;
use keyroster_roster::ModelError;
use keyroster_store::{Object, StoreError};
use thiserror::Error;

use crate::ca::CaError;
use crate::random::RandomError;

/// Why a request is not answered as asked.
#[derive(Debug, Error)]
pub enum ApiError {
    /// The client's doing: it is told all of it.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The store's word.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No certificate could be issued.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// No secret could be made.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A snapshot could not be signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The key server can't decide now; the text says why, in words that a stranger may read.
    #[error("{0}")]
    Unavailable(&'static str),
    /// A bug of ours; the text is for the log alone.
    #[error("{0}")]
    Bug(&'static str),
}

/// What handlers return.
pub type Answer<T> = Result<T, ApiError>;

/// Which problem an answer holds; an extension of the response, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Answered(pub ProblemKind);

impl ApiError {
    /// A refusal.
    #[must_use]
    pub fn refused(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self::Refused(Box::new(kind.with(detail)))
    }

    /// A refusal with a hint.
    #[must_use]
    pub fn hinted(kind: ProblemKind, detail: impl Into<String>, hint: &str) -> Self {
        Self::Refused(Box::new(kind.with(detail).hint(hint)))
    }

    /// A field, a path segment or a query parameter that does not parse.
    #[must_use]
    pub fn invalid(field: &str, error: &impl std::fmt::Display) -> Self {
        Self::refused(ProblemKind::InvalidValue, format!("{field}: {error}"))
    }

    fn into_problem(self) -> (ProblemKind, Problem) {
        let kind = self.kind();
        let problem = match self {
            Self::Refused(problem) => *problem,
            Self::Unavailable(why) => kind.with(why),
            Self::Store(error) if kind.status() < 500 => store_problem(kind, &error),
            other => {
                log(kind, &other);
                kind.with(BLAND)
            }
        };
        (kind, problem)
    }

    fn kind(&self) -> ProblemKind {
        match self {
            Self::Refused(problem) => {
                ProblemKind::from_type(&problem.kind).unwrap_or(ProblemKind::Internal)
            }
            Self::Store(error) => store_kind(error),
            Self::Unavailable(_) => ProblemKind::Unavailable,
            Self::Ca(_) | Self::Random(_) | Self::Signature(_) | Self::Bug(_) => {
                ProblemKind::Internal
            }
        }
    }
}

/// A field of the roster's model that is refused; options have a type of their own, since programs decide by it.
pub fn model_error(field: &'static str) -> impl Fn(ModelError) -> ApiError {
    move |error| match &error {
        ModelError::Option { .. } => {
            ApiError::refused(ProblemKind::UnacceptableOption, format!("{field}: {error}"))
        }
        _ => ApiError::invalid(field, &error),
    }
}

fn store_kind(error: &StoreError) -> ProblemKind {
    match error {
        StoreError::NotFound { .. } => ProblemKind::NotFound,
        StoreError::AlreadyExists { .. } => ProblemKind::AlreadyExists,
        StoreError::KeyOfAnotherUser { .. } => ProblemKind::KeyOfAnotherUser,
        StoreError::Conflict { .. } => ProblemKind::Conflict,
        StoreError::Unavailable { .. } => ProblemKind::Unavailable,
        _ => ProblemKind::Internal,
    }
}

fn store_problem(kind: ProblemKind, error: &StoreError) -> Problem {
    let problem = kind.with(error.to_string());
    match error {
        StoreError::NotFound { object } => match lister(object) {
            Some(verb) => problem.hint(format!("`keyroster {verb}` shows those that there are")),
            None => problem,
        },
        StoreError::AlreadyExists { object } => match existing(object) {
            Some(hint) => problem.hint(hint),
            None => problem,
        },
        StoreError::KeyOfAnotherUser { .. } => {
            problem.hint("a key is one user's alone: make a new key pair")
        }
        _ => problem,
    }
}

/// What lists all objects of a kind.
const fn lister(object: &Object) -> Option<&'static str> {
    match object {
        Object::User(_) => Some("user list"),
        Object::Key(_) => Some("key list"),
        Object::Group(_) => Some("group list"),
        Object::Host(_) | Object::HostNamed(_) => Some("host list"),
        Object::HostGroup(_) => Some("host-group list"),
        Object::Grant(_) => Some("grant list"),
        Object::EnrolmentToken(_) => Some("host list-enroll-tokens"),
        Object::BearerToken(_) => Some("token list"),
        Object::Roster | Object::SnapshotKey(_) | Object::Ca(_) => None,
    }
}

/// What shows an object that is there already, and what changes it.
fn existing(object: &Object) -> Option<String> {
    Some(match object {
        Object::User(name) => format!(
            "`keyroster user show {name}` shows it, `keyroster user resume {name}` ends a suspension"
        ),
        Object::Key(key) => format!("`keyroster key show {key}` shows it"),
        Object::Group(name) => format!(
            "`keyroster group show {name}` shows its members, `keyroster group add-member` adds one"
        ),
        Object::Host(_) => "`keyroster host list` shows it".to_owned(),
        Object::HostNamed(name) => format!(
            "`keyroster host show {name}` shows it, `keyroster host remove {name}` takes it out, so that it can be enrolled anew"
        ),
        Object::HostGroup(name) => format!(
            "`keyroster host-group show {name}` shows it, `keyroster host-group set {name}` changes its rules"
        ),
        Object::Grant(id) => format!("`keyroster grant show {id}` shows it"),
        Object::BearerToken(_) => {
            "take another name: `keyroster token list` shows those that were ever used".to_owned()
        }
        Object::EnrolmentToken(_) | Object::Roster | Object::SnapshotKey(_) | Object::Ca(_) => {
            return None;
        }
    })
}

fn log(kind: ProblemKind, error: &ApiError) {
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    match kind {
        ProblemKind::Unavailable => tracing::warn!(%error, cause, "request could not be decided"),
        _ => tracing::error!(%error, cause, "request failed"),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (kind, problem) = self.into_problem();
        problem_response(kind, &problem)
    }
}

/// A problem as a response.
pub fn problem_response(kind: ProblemKind, problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // A struct of texts and numbers has a JSON form.
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let headers: [(HeaderName, HeaderValue); 2] = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(problem::CONTENT_TYPE),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let mut response = (status, headers, body).into_response();
    let more = match kind {
        ProblemKind::Unauthenticated => Some((header::WWW_AUTHENTICATE, "Bearer")),
        ProblemKind::Unavailable | ProblemKind::TooManyRequests => {
            Some((header::RETRY_AFTER, RETRY_AFTER_S))
        }
        _ => None,
    };
    if let Some((name, value)) = more {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response.extensions_mut().insert(Answered(kind));
    response
}

/// All that a stranger learns of a failure; the log has the rest.
const BLAND: &str = "the request was not carried out; the key server's log says why";
/// Seconds after which asking again makes sense.
const RETRY_AFTER_S: &str = "1";

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(error: ApiError) -> (u16, String) {
        let response = error.into_response();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 4096)
            .await
            .unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_stranger_learns_nothing_of_a_failure_of_ours() {
        let source = "password authentication failed for user \"k\"";
        let error = StoreError::Unavailable {
            doing: "users::FIND",
            source: source.into(),
        };
        let (status, text) = body(error.into()).await;
        assert_eq!(status, 503);
        assert!(
            !text.contains("password") && !text.contains("users::FIND"),
            "{text}"
        );
        let (status, text) = body(ApiError::Bug("secret detail")).await;
        assert_eq!(status, 500);
        assert!(!text.contains("secret detail"), "{text}");
    }

    #[tokio::test]
    async fn a_refusal_tells_its_kind_and_what_to_do() {
        let (status, text) = body(ApiError::hinted(ProblemKind::Conflict, "no", "do this")).await;
        assert_eq!(status, 409);
        assert!(
            text.contains("urn:keyroster:problem:conflict") && text.contains("do this"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn what_is_not_there_comes_with_the_verb_that_lists_what_is() {
        let object = Object::HostGroup("web".parse().unwrap());
        let (status, text) = body(StoreError::NotFound { object }.into()).await;
        assert_eq!(status, 404);
        assert!(
            text.contains("there is no host group") && text.contains("`keyroster host-group list`"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn what_is_there_already_comes_with_the_verbs_that_show_and_change_it() {
        let group = |name: &str| name.parse().unwrap();
        for (object, hint) in [
            (Object::User("alice".parse().unwrap()), "user show alice"),
            (Object::Group(group("ops")), "group show ops"),
            (Object::HostGroup(group("web")), "host-group set web"),
            (
                Object::HostNamed("web-1".parse().unwrap()),
                "host remove web-1",
            ),
        ] {
            let (status, text) = body(StoreError::AlreadyExists { object }.into()).await;
            assert_eq!(status, 409);
            assert!(text.contains(&format!("`keyroster {hint}`")), "{text}");
        }
    }

    #[test]
    fn what_can_be_tried_again_says_when() {
        let response = ApiError::Unavailable("not now").into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
