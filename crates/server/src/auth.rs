//! Who may do what: bearer tokens and their roles.
//!
//! A token says who somebody is in the admin API and nothing on the paths of hosts; a host's certificate says nothing here.
//! Which route needs which role stands in [`crate::router`], and there alone.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use keyroster_api::ProblemKind;
use keyroster_api::token::Role;
use keyroster_roster::{Actor, Timestamp};
use keyroster_store::TokenStanding;

use crate::app::App;
use crate::error::{Answer, ApiError};
use crate::secret::bearer_hash;

/// Somebody with a valid token.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The token's name: who did it, in the audit log.
    pub actor: Actor,
    /// What the bearer may do.
    pub role: Role,
    /// When the token ends.
    pub expires_at: Timestamp,
}

/// Whether a role covers what a route needs.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// It does.
    Allowed,
    /// It does not.
    Refused,
}

impl Bearer {
    /// Refuses what needs more than this bearer's role, where a route's role alone does not decide.
    ///
    /// # Errors
    /// When the role does not cover it.
    pub fn needs(&self, needed: Role) -> Answer<()> {
        match allowance(self.role, needed) {
            Allowance::Allowed => Ok(()),
            Allowance::Refused => Err(forbidden(needed)),
        }
    }
}

/// Lets a request through whose bearer has at least this role.
pub async fn require(
    State((app, needed)): State<(App, Role)>,
    mut request: Request,
    next: Next,
) -> Response {
    let bearer = match authenticate(&app, request.headers()).await {
        Ok(bearer) => bearer,
        Err(error) => return error.into_response(),
    };
    let mut response = match bearer.needs(needed) {
        Ok(()) => {
            request.extensions_mut().insert(bearer.clone());
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    if let Some(cas) = cas(&app) {
        response.headers_mut().insert(CAS, cas);
    }
    response.extensions_mut().insert(bearer);
    response
}

/// The CAs, for programs of people that know others; none where they were never exchanged.
fn cas(app: &App) -> Option<HeaderValue> {
    match app.key_chain.cas() {
        [] => None,
        cas => HeaderValue::from_str(&cas.join(" ")).ok(),
    }
}

/// Has what a write changed read before it is answered, so that what was answered is in force on this server, and the hosts that
/// it concerns need nothing else to be read before they are woken.
pub async fn publish(State(app): State<App>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    // Whatever the answer is: a commit whose own answer was lost has happened all the same.
    app.catch_up().await;
    response
}

/// Whether a role covers what a route needs.
pub const fn allowance(role: Role, needed: Role) -> Allowance {
    match (role, needed) {
        (Role::Admin, _)
        | (Role::Officer, Role::Officer | Role::Auditor)
        | (Role::Auditor, Role::Auditor) => Allowance::Allowed,
        (Role::Officer | Role::Auditor, _) => Allowance::Refused,
    }
}

/// A role as it stands in tokens and in the OpenAPI document.
#[must_use]
pub const fn word(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Officer => "officer",
        Role::Auditor => "auditor",
    }
}

/// A role of the store's as one of the API's.
#[must_use]
pub const fn role_from(role: keyroster_store::Role) -> Role {
    match role {
        keyroster_store::Role::Admin => Role::Admin,
        keyroster_store::Role::Officer => Role::Officer,
        keyroster_store::Role::Auditor => Role::Auditor,
    }
}

/// A role of the API's as one of the store's.
#[must_use]
pub const fn role_to(role: Role) -> keyroster_store::Role {
    match role {
        Role::Admin => keyroster_store::Role::Admin,
        Role::Officer => keyroster_store::Role::Officer,
        Role::Auditor => keyroster_store::Role::Auditor,
    }
}

impl FromRequestParts<App> for Bearer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Answer<Self> {
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::Bug(
            "a handler that needs a bearer stands on an open route",
        ))
    }
}

async fn authenticate(app: &App, headers: &HeaderMap) -> Answer<Bearer> {
    let hash = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .and_then(|(_, token)| bearer_hash(token.trim_start()));
    let Some(hash) = hash else {
        return Err(refused(
            app,
            "this needs a bearer token: \"Authorization: Bearer krt_…\"",
        ));
    };
    let found = app.store.read().await?.bearer_token_by_hash(&hash).await?;
    let token = found.ok_or_else(|| refused(app, "the bearer token is not known"))?;
    match token.standing(app.now()) {
        TokenStanding::Good => {}
        TokenStanding::Revoked => return Err(refused(app, "the bearer token was revoked")),
        TokenStanding::Expired => return Err(refused(app, "the bearer token has expired")),
    }
    Ok(Bearer {
        actor: token.name,
        role: role_from(token.role),
        expires_at: token.expires_at,
    })
}

fn forbidden(needed: Role) -> ApiError {
    ApiError::refused(
        ProblemKind::Forbidden,
        format!("this needs the role \"{}\"", word(needed)),
    )
}

fn refused(app: &App, why: &str) -> ApiError {
    app.metrics.refused_credentials.increment(1);
    ApiError::refused(ProblemKind::Unauthenticated, why)
}

const CAS: HeaderName = HeaderName::from_static(keyroster_api::key_set::CAS_HEADER);
