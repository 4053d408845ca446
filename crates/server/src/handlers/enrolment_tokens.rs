//! Enrolment tokens.

use axum::extract::State;
use axum::http::StatusCode;
use keyroster_api::enroll::{
    AddEnrolmentToken, EnrolmentToken, EnrolmentTokenView, MAX_TTL_S, NewToken,
};
use keyroster_api::page::{Page, PageQuery};
use keyroster_api::paths;
use keyroster_keys::GroupName;
use keyroster_store::EnrolmentTokenRecord;

use crate::app::App;
use crate::auth::Bearer;
use crate::error::{Answer, ApiError};
use crate::extract::{Json, Params};
use crate::page;
use crate::parse;
use crate::secret;

/// Enrolment tokens in order of id, used and expired ones too
#[utoipa::path(get, path = paths::ENROLMENT_TOKENS, tag = "hosts", params(PageQuery),
    responses((status = 200, description = "A page of enrolment tokens", body = Page<EnrolmentTokenView>)))]
pub async fn list_enrolment_tokens(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<EnrolmentTokenView>>> {
    let (after, limit) = page::read(&query)?;
    let tokens = app
        .store
        .read()
        .await?
        .enrolment_tokens(after.as_ref(), limit)
        .await?;
    Ok(Json(page::view(tokens, view)))
}

/// Makes an enrolment token for one host; its text is told this once
#[utoipa::path(post, path = paths::ENROLMENT_TOKENS, tag = "hosts", request_body = AddEnrolmentToken,
    responses((status = 201, description = "The enrolment token", body = NewToken)))]
pub async fn add_enrolment_token(
    State(app): State<App>,
    bearer: Bearer,
    Json(body): Json<AddEnrolmentToken>,
) -> Answer<(StatusCode, Json<NewToken>)> {
    let host_group: GroupName = parse::field("host_group", &body.host_group)?;
    let ttl = body.ttl_s.unwrap_or(MAX_TTL_S);
    if !(1..=MAX_TTL_S).contains(&ttl) {
        return Err(ApiError::invalid(
            "ttl_s",
            &format_args!("1 to {MAX_TTL_S} seconds are accepted"),
        ));
    }
    let now = app.now();
    let expires_at = now.saturating_add(ttl.into());
    let (secret, hash) = secret::new_enrolment(app.random())?;
    app.store
        .write(&bearer.actor, now)
        .add_enrolment_token(&hash, &host_group, expires_at)
        .await?;
    let token = EnrolmentToken {
        secret,
        ca_pin: *app.ca.newest().as_bytes(),
        snapshot_pin: app.snapshot_key.pin,
    };
    Ok((
        StatusCode::CREATED,
        Json(NewToken {
            token: token.to_text().to_string(),
            expires_at,
        }),
    ))
}

fn view(token: &EnrolmentTokenRecord) -> EnrolmentTokenView {
    EnrolmentTokenView {
        id: token.id.as_str().to_owned(),
        host_group: token.host_group.to_string(),
        created_by: token.created_by.to_string(),
        created_at: token.created_at,
        expires_at: token.expires_at,
        used_by: token.used.as_ref().map(|(host, _)| host.to_string()),
        used_at: token.used.as_ref().map(|(_, at)| *at),
    }
}
