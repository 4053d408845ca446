//! Grants.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use keyroster_api::grant::{AddGrant, EffectText, GrantView};
use keyroster_api::key::Revoke;
use keyroster_api::page::{Page, PageQuery};
use keyroster_api::paths;
use keyroster_api::receipt::WaitQuery;
use keyroster_roster::{
    Actor, Effect, FromList, Grant, GrantId, GrantOptions, GrantState, Subject, Target, Timestamp,
};
use keyroster_store::{Action, GrantFilter, Object, StoreError};

use crate::app::App;
use crate::auth::Bearer;
use crate::error::{Answer, ApiError, model_error};
use crate::extract::{Json, JsonOrDefault, Params, Segment};
use crate::handlers::hosts;
use crate::page;
use crate::parse::{self, HostRef};
use crate::receipts::{Patience, WrittenOrReceipt};

/// Grants in order of age, revoked ones too
#[utoipa::path(get, path = paths::GRANTS, tag = "grants", params(PageQuery),
    responses((status = 200, description = "A page of grants", body = Page<GrantView>)))]
pub async fn list_grants(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<GrantView>>> {
    let (after, limit) = page::read(&query)?;
    let grants = app
        .store
        .read()
        .await?
        .grants(&GrantFilter::default(), after.as_ref(), limit)
        .await?;
    Ok(Json(page::view(grants, |grant| GrantView::from(grant))))
}

/// One grant
#[utoipa::path(get, path = paths::GRANT, tag = "grants", params(("id" = String, Path, description = "The grant's id")),
    responses((status = 200, description = "The grant", body = GrantView)))]
pub async fn show_grant(
    State(app): State<App>,
    Segment(id): Segment<GrantId>,
) -> Answer<Json<GrantView>> {
    let grant = app.store.read().await?.grant(&id).await?;
    let grant = grant.ok_or(StoreError::NotFound {
        object: Object::Grant(id),
    })?;
    Ok(Json(GrantView::from(&grant)))
}

/// Adds a grant
#[utoipa::path(post, path = paths::GRANTS, tag = "grants", request_body = AddGrant,
    responses((status = 201, description = "The grant", body = GrantView)))]
pub async fn add_grant(
    State(app): State<App>,
    bearer: Bearer,
    Json(body): Json<AddGrant>,
) -> Answer<(StatusCode, Json<GrantView>)> {
    let now = app.now();
    if body.until.is_some_and(|until| until <= now) {
        return Err(ApiError::invalid("until", &"it lies in the past"));
    }
    let id = GrantId::parse(&app.new_id()?).map_err(model_error("id"))?;
    let target = target(&app, &body).await?;
    let grant = read(&body, id, target, (&bearer.actor, now))?;
    app.store
        .write(&bearer.actor, now)
        .add_grant(&grant)
        .await?;
    Ok((StatusCode::CREATED, Json(GrantView::from(&grant))))
}

/// Revokes a grant, for good
#[utoipa::path(post, path = paths::GRANT_REVOKE, tag = "grants", request_body = Option<Revoke>,
    params(("id" = String, Path, description = "The grant's id"), WaitQuery),
    responses((status = 200, description = "From which revision on it holds", body = WrittenOrReceipt)))]
pub async fn revoke_grant(
    State(app): State<App>,
    bearer: Bearer,
    Segment(id): Segment<GrantId>,
    Params(query): Params<WaitQuery>,
    JsonOrDefault(body): JsonOrDefault<Revoke>,
) -> Answer<Response> {
    let patience = Patience::read(query)?;
    let reason = parse::reason(body.reason.as_deref())?;
    let outcome = app
        .store
        .write(&bearer.actor, app.now())
        .revoke_grant(&id, reason.as_ref())
        .await?;
    let done = (Action::GrantRevoke, Object::Grant(id));
    patience.answer(&app, outcome, done).await
}

fn read(
    body: &AddGrant,
    id: GrantId,
    target: Target,
    (actor, now): (&Actor, Timestamp),
) -> Answer<Grant> {
    let options = body.options.iter().map(String::as_str);
    let from = match body.from.as_slice() {
        [] => None,
        ranges => {
            Some(FromList::parse(ranges.iter().map(String::as_str)).map_err(model_error("from"))?)
        }
    };
    let grant = Grant {
        id,
        effect: match body.effect {
            EffectText::Allow => Effect::Allow,
            EffectText::Deny => Effect::Deny,
        },
        subject: subject(body)?,
        account: parse::field("account", &body.account)?,
        target,
        options: GrantOptions::parse(options, body.command.as_deref())
            .map_err(model_error("options"))?,
        from,
        not_before: body.not_before,
        until: body.until,
        reason: parse::reason(body.reason.as_deref())?,
        created_by: actor.clone(),
        created_at: now,
        state: GrantState::Active,
    };
    grant.check().map_err(model_error("grant"))?;
    Ok(grant)
}

fn subject(body: &AddGrant) -> Answer<Subject> {
    match (&body.user, &body.group) {
        (Some(user), None) => parse::field("user", user).map(Subject::User),
        (None, Some(group)) => parse::field("group", group).map(Subject::Group),
        _ => Err(ApiError::invalid(
            "user, group",
            &"exactly one of them must be given",
        )),
    }
}

async fn target(app: &App, body: &AddGrant) -> Answer<Target> {
    match (&body.host, &body.host_group) {
        (Some(host), None) => {
            let host: HostRef = parse::field("host", host)?;
            hosts::find(app, host)
                .await
                .map(|host| Target::Host(host.id))
        }
        (None, Some(group)) => parse::field("host_group", group).map(Target::HostGroup),
        _ => Err(ApiError::invalid(
            "host, host_group",
            &"exactly one of them must be given",
        )),
    }
}
