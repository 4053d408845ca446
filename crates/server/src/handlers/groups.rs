//! Groups of users.

use axum::extract::State;
use axum::http::StatusCode;
use keyroster_api::group::{AddGroup, GroupView};
use keyroster_api::page::{Page, PageQuery};
use keyroster_api::paths;
use keyroster_api::receipt::Written;
use keyroster_keys::{GroupName, UserName};
use keyroster_store::{Object, StoreError};

use crate::app::App;
use crate::auth::Bearer;
use crate::error::Answer;
use crate::extract::{Json, Params, Segment, Segments};
use crate::page;
use crate::parse;

/// Groups in order of name
#[utoipa::path(get, path = paths::GROUPS, tag = "groups", params(PageQuery),
    responses((status = 200, description = "A page of groups", body = Page<GroupView>)))]
pub async fn list_groups(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<GroupView>>> {
    let (after, limit) = page::read(&query)?;
    let groups = app
        .store
        .read()
        .await?
        .groups(after.as_ref(), limit)
        .await?;
    Ok(Json(page::view(groups, |group| GroupView::from(group))))
}

/// One group
#[utoipa::path(get, path = paths::GROUP, tag = "groups", params(("name" = String, Path, description = "The group's name")),
    responses((status = 200, description = "The group", body = GroupView)))]
pub async fn show_group(
    State(app): State<App>,
    Segment(name): Segment<GroupName>,
) -> Answer<Json<GroupView>> {
    let group = app.store.read().await?.group(&name).await?;
    let group = group.ok_or(StoreError::NotFound {
        object: Object::Group(name),
    })?;
    Ok(Json(GroupView::from(&group)))
}

/// Adds an empty group
#[utoipa::path(post, path = paths::GROUPS, tag = "groups", request_body = AddGroup,
    responses((status = 201, description = "The group", body = GroupView)))]
pub async fn add_group(
    State(app): State<App>,
    bearer: Bearer,
    Json(body): Json<AddGroup>,
) -> Answer<(StatusCode, Json<GroupView>)> {
    let name: GroupName = parse::field("name", &body.name)?;
    app.store
        .write(&bearer.actor, app.now())
        .add_group(&name)
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(GroupView {
            name: name.to_string(),
            members: Vec::new(),
        }),
    ))
}

/// Deletes a group and the grants for it
#[utoipa::path(delete, path = paths::GROUP, tag = "groups",
    params(("name" = String, Path, description = "The group's name")),
    responses((status = 200, description = "From which revision on it holds", body = Written)))]
pub async fn delete_group(
    State(app): State<App>,
    bearer: Bearer,
    Segment(name): Segment<GroupName>,
) -> Answer<Json<Written>> {
    let state = app
        .store
        .write(&bearer.actor, app.now())
        .delete_group(&name)
        .await?;
    Ok(Json(parse::written(state)))
}

/// Puts a user into a group
#[utoipa::path(put, path = paths::GROUP_MEMBER, tag = "groups",
    params(("name" = String, Path, description = "The group's name"), ("user" = String, Path, description = "The user's name")),
    responses((status = 200, description = "From which revision on it holds", body = Written)))]
pub async fn add_group_member(
    State(app): State<App>,
    bearer: Bearer,
    Segments(name, user): Segments<GroupName, UserName>,
) -> Answer<Json<Written>> {
    let outcome = app
        .store
        .write(&bearer.actor, app.now())
        .add_group_member(&name, &user)
        .await?;
    Ok(Json(parse::written(outcome.state())))
}

/// Takes a user out of a group
#[utoipa::path(delete, path = paths::GROUP_MEMBER, tag = "groups",
    params(("name" = String, Path, description = "The group's name"), ("user" = String, Path, description = "The user's name")),
    responses((status = 200, description = "From which revision on it holds", body = Written)))]
pub async fn remove_group_member(
    State(app): State<App>,
    bearer: Bearer,
    Segments(name, user): Segments<GroupName, UserName>,
) -> Answer<Json<Written>> {
    let outcome = app
        .store
        .write(&bearer.actor, app.now())
        .remove_group_member(&name, &user)
        .await?;
    Ok(Json(parse::written(outcome.state())))
}
