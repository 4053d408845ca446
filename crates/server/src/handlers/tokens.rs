//! Bearer tokens, and who the bearer is.

use axum::extract::State;
use axum::http::StatusCode;
use keyroster_api::enroll::NewToken;
use keyroster_api::page::{Page, PageQuery};
use keyroster_api::paths;
use keyroster_api::receipt::Written;
use keyroster_api::token::{AddToken, TokenView, WhoAmI};
use keyroster_roster::Actor;
use keyroster_store::BearerToken;

use crate::app::App;
use crate::auth::{Bearer, role_from, role_to};
use crate::error::{Answer, ApiError};
use crate::extract::{Json, Params, Segment};
use crate::limits::MAX_TOKEN_DAYS;
use crate::page;
use crate::parse;
use crate::secret;

/// Who the bearer of the token is
#[utoipa::path(get, path = paths::WHOAMI, tag = "tokens",
    responses((status = 200, description = "The bearer", body = WhoAmI)))]
pub async fn whoami(bearer: Bearer) -> Json<WhoAmI> {
    Json(WhoAmI {
        name: bearer.actor.to_string(),
        role: bearer.role,
        expires_at: bearer.expires_at,
    })
}

/// Bearer tokens in order of name, revoked and expired ones too
#[utoipa::path(get, path = paths::TOKENS, tag = "tokens", params(PageQuery),
    responses((status = 200, description = "A page of tokens", body = Page<TokenView>)))]
pub async fn list_tokens(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<TokenView>>> {
    let (after, limit) = page::read(&query)?;
    let tokens = app
        .store
        .read()
        .await?
        .bearer_tokens(after.as_ref(), limit)
        .await?;
    Ok(Json(page::view(tokens, view)))
}

/// Makes a bearer token; its text is told this once
#[utoipa::path(post, path = paths::TOKENS, tag = "tokens", request_body = AddToken,
    responses((status = 201, description = "The token", body = NewToken)))]
pub async fn add_token(
    State(app): State<App>,
    bearer: Bearer,
    Json(body): Json<AddToken>,
) -> Answer<(StatusCode, Json<NewToken>)> {
    let now = app.now();
    let name = own_name(&body.name)?;
    if body.expires_at <= now {
        return Err(ApiError::invalid("expires_at", &"it lies in the past"));
    }
    if body.expires_at > now.saturating_add(MAX_TOKEN_DAYS * SECONDS_PER_DAY) {
        return Err(ApiError::invalid(
            "expires_at",
            &format_args!("a token lives {MAX_TOKEN_DAYS} days at most"),
        ));
    }
    let (text, hash) = secret::new_bearer(app.random())?;
    let writer = app.store.write(&bearer.actor, now);
    writer
        .add_bearer_token(&name, &hash, role_to(body.role), body.expires_at)
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(NewToken {
            token: text.to_string(),
            expires_at: body.expires_at,
        }),
    ))
}

/// Revokes a bearer token, for good
#[utoipa::path(post, path = paths::TOKEN_REVOKE, tag = "tokens",
    params(("name" = String, Path, description = "The token's name")),
    responses((status = 200, description = "From which revision on it holds", body = Written)))]
pub async fn revoke_token(
    State(app): State<App>,
    bearer: Bearer,
    Segment(name): Segment<Actor>,
) -> Answer<Json<Written>> {
    let outcome = app
        .store
        .write(&bearer.actor, app.now())
        .revoke_bearer_token(&name)
        .await?;
    Ok(Json(parse::written(outcome.state())))
}

/// A token's name is the actor in the audit log, where `system` and `host:…` are not people.
fn own_name(text: &str) -> Answer<Actor> {
    let name: Actor = parse::field("name", text)?;
    if name == Actor::system() || text.contains(':') {
        return Err(ApiError::invalid(
            "name",
            &"\"system\" and names with \":\" are the key server's own",
        ));
    }
    Ok(name)
}

fn view(token: &BearerToken) -> TokenView {
    TokenView {
        name: token.name.to_string(),
        role: role_from(token.role),
        created_by: token.created_by.to_string(),
        created_at: token.created_at,
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
    }
}

const SECONDS_PER_DAY: i64 = 86_400;
