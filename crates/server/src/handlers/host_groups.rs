//! Host groups.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use keyroster_api::host_group::{AddHostGroup, ChangeHostGroup, HostGroupView};
use keyroster_api::page::{Page, PageQuery};
use keyroster_api::paths;
use keyroster_api::receipt::{WaitQuery, Written};
use keyroster_keys::GroupName;
use keyroster_roster::{Freshness, FreshnessChange, HostGroup, HostGroupChange};
use keyroster_store::{Action, HostGroupWithHosts, Object, StoreError};

use crate::app::App;
use crate::auth::Bearer;
use crate::error::{Answer, ApiError, model_error};
use crate::extract::{Json, Params, Segment, Segments};
use crate::handlers::hosts;
use crate::page;
use crate::parse::{self, HostRef};
use crate::receipts::{Patience, WrittenOrReceipt};

/// Host groups in order of name
#[utoipa::path(get, path = paths::HOST_GROUPS, tag = "host groups", params(PageQuery),
    responses((status = 200, description = "A page of host groups", body = Page<HostGroupView>)))]
pub async fn list_host_groups(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<HostGroupView>>> {
    let (after, limit) = page::read(&query)?;
    let groups = app
        .store
        .read()
        .await?
        .host_groups(after.as_ref(), limit)
        .await?;
    Ok(Json(page::view(groups, view)))
}

/// One host group
#[utoipa::path(get, path = paths::HOST_GROUP, tag = "host groups",
    params(("name" = String, Path, description = "The host group's name")),
    responses((status = 200, description = "The host group", body = HostGroupView)))]
pub async fn show_host_group(
    State(app): State<App>,
    Segment(name): Segment<GroupName>,
) -> Answer<Json<HostGroupView>> {
    let group = app.store.read().await?.host_group(&name).await?;
    let group = group.ok_or(StoreError::NotFound {
        object: Object::HostGroup(name),
    })?;
    Ok(Json(view(&group)))
}

/// Adds an empty host group
#[utoipa::path(post, path = paths::HOST_GROUPS, tag = "host groups", request_body = AddHostGroup,
    responses((status = 201, description = "The host group", body = HostGroupView)))]
pub async fn add_host_group(
    State(app): State<App>,
    bearer: Bearer,
    Json(body): Json<AddHostGroup>,
) -> Answer<(StatusCode, Json<HostGroupView>)> {
    let freshness = body
        .freshness
        .map(Freshness::try_from)
        .transpose()
        .map_err(model_error("freshness"))?;
    let name = parse::field("name", &body.name)?;
    let group = HostGroup {
        name,
        freshness: freshness.unwrap_or_default(),
        end_sessions: body.end_sessions,
    };
    app.store
        .write(&bearer.actor, app.now())
        .add_host_group(&group)
        .await?;
    let added = HostGroupWithHosts {
        group,
        hosts: Default::default(),
    };
    Ok((StatusCode::CREATED, Json(view(&added))))
}

/// Changes the rules of a host group
#[utoipa::path(patch, path = paths::HOST_GROUP, tag = "host groups", request_body = ChangeHostGroup,
    params(("name" = String, Path, description = "The host group's name"), WaitQuery),
    responses((status = 200, description = "From which revision on it holds", body = WrittenOrReceipt)))]
pub async fn change_host_group(
    State(app): State<App>,
    bearer: Bearer,
    Segment(name): Segment<GroupName>,
    Params(query): Params<WaitQuery>,
    Json(body): Json<ChangeHostGroup>,
) -> Answer<Response> {
    let patience = Patience::read(query)?;
    let freshness = FreshnessChange::try_from(body.freshness).map_err(model_error("freshness"))?;
    let change = HostGroupChange {
        freshness,
        end_sessions: body.end_sessions,
    };
    if change == HostGroupChange::default() {
        return Err(ApiError::invalid("freshness", &"nothing is to be changed"));
    }
    let outcome = app
        .store
        .write(&bearer.actor, app.now())
        .set_host_group(&name, change)
        .await?;
    let done = (Action::HostGroupSet, Object::HostGroup(name));
    patience.answer(&app, outcome, done).await
}

/// Deletes a host group and the grants on it
#[utoipa::path(delete, path = paths::HOST_GROUP, tag = "host groups",
    params(("name" = String, Path, description = "The host group's name")),
    responses((status = 200, description = "From which revision on it holds", body = Written)))]
pub async fn delete_host_group(
    State(app): State<App>,
    bearer: Bearer,
    Segment(name): Segment<GroupName>,
) -> Answer<Json<Written>> {
    let state = app
        .store
        .write(&bearer.actor, app.now())
        .delete_host_group(&name)
        .await?;
    Ok(Json(parse::written(state)))
}

/// Puts a host into a host group
#[utoipa::path(put, path = paths::HOST_GROUP_HOST, tag = "host groups",
    params(("name" = String, Path, description = "The host group's name"), ("host" = String, Path, description = "The host's name or id")),
    responses((status = 200, description = "From which revision on it holds", body = Written)))]
pub async fn add_host_to_group(
    State(app): State<App>,
    bearer: Bearer,
    Segments(name, host): Segments<GroupName, HostRef>,
) -> Answer<Json<Written>> {
    let host = hosts::find(&app, host).await?;
    let outcome = app
        .store
        .write(&bearer.actor, app.now())
        .add_host_to_group(&name, &host.id)
        .await?;
    Ok(Json(parse::written(outcome.state())))
}

/// Takes a host out of a host group
#[utoipa::path(delete, path = paths::HOST_GROUP_HOST, tag = "host groups",
    params(("name" = String, Path, description = "The host group's name"), ("host" = String, Path, description = "The host's name or id")),
    responses((status = 200, description = "From which revision on it holds", body = Written)))]
pub async fn remove_host_from_group(
    State(app): State<App>,
    bearer: Bearer,
    Segments(name, host): Segments<GroupName, HostRef>,
) -> Answer<Json<Written>> {
    let host = hosts::find(&app, host).await?;
    let outcome = app
        .store
        .write(&bearer.actor, app.now())
        .remove_host_from_group(&name, &host.id)
        .await?;
    Ok(Json(parse::written(outcome.state())))
}

fn view(group: &HostGroupWithHosts) -> HostGroupView {
    HostGroupView {
        name: group.group.name.to_string(),
        hosts: group.hosts.iter().map(ToString::to_string).collect(),
        freshness: group.group.freshness.into(),
        end_sessions: group.group.end_sessions,
    }
}
