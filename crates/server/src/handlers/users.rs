//! Users.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use keyroster_api::page::{Page, PageQuery};
use keyroster_api::paths;
use keyroster_api::receipt::WaitQuery;
use keyroster_api::token::Role;
use keyroster_api::user::{AddUser, ChangeUser, UserView, state_from_text};
use keyroster_keys::UserName;
use keyroster_roster::{User, UserKind, UserState};
use keyroster_store::{Action, Object, StoreError};

use crate::app::App;
use crate::auth::Bearer;
use crate::error::{Answer, ApiError};
use crate::extract::{Json, Params, Segment};
use crate::page;
use crate::parse;
use crate::receipts::{Patience, WrittenOrReceipt};

/// Users in order of name
#[utoipa::path(get, path = paths::USERS, tag = "users", params(PageQuery),
    responses((status = 200, description = "A page of users", body = Page<UserView>)))]
pub async fn list_users(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<UserView>>> {
    let (after, limit) = page::read(&query)?;
    let users = app.store.read().await?.users(after.as_ref(), limit).await?;
    Ok(Json(page::view(users, |user| UserView::from(user))))
}

/// One user
#[utoipa::path(get, path = paths::USER, tag = "users", params(("name" = String, Path, description = "The user's name")),
    responses((status = 200, description = "The user", body = UserView)))]
pub async fn show_user(
    State(app): State<App>,
    Segment(name): Segment<UserName>,
) -> Answer<Json<UserView>> {
    let user = app.store.read().await?.user(&name).await?;
    let user = user.ok_or(StoreError::NotFound {
        object: Object::User(name),
    })?;
    Ok(Json(UserView::from(&user)))
}

/// Adds a user
#[utoipa::path(post, path = paths::USERS, tag = "users", request_body = AddUser,
    responses((status = 201, description = "The user", body = UserView)))]
pub async fn add_user(
    State(app): State<App>,
    bearer: Bearer,
    Json(body): Json<AddUser>,
) -> Answer<(StatusCode, Json<UserView>)> {
    let kind = match &body.owner {
        None => UserKind::Person,
        Some(owner) => UserKind::Service {
            owner: parse::field("owner", owner)?,
        },
    };
    let now = app.now();
    let name = parse::field("name", &body.name)?;
    let user = User {
        name,
        kind,
        state: UserState::Active,
        created_at: now,
    };
    app.store.write(&bearer.actor, now).add_user(&user).await?;
    Ok((StatusCode::CREATED, Json(UserView::from(&user))))
}

/// Suspends, resumes or terminates a user
#[utoipa::path(patch, path = paths::USER, tag = "users", request_body = ChangeUser,
    params(("name" = String, Path, description = "The user's name"), WaitQuery),
    responses((status = 200, description = "From which revision on it holds", body = WrittenOrReceipt)))]
pub async fn change_user(
    State(app): State<App>,
    bearer: Bearer,
    Segment(name): Segment<UserName>,
    Params(query): Params<WaitQuery>,
    Json(body): Json<ChangeUser>,
) -> Answer<Response> {
    let patience = Patience::read(query)?;
    let state = state_from_text(&body.state).ok_or_else(|| {
        ApiError::invalid(
            "state",
            &"\"active\", \"suspended\" or \"terminated\" is wanted",
        )
    })?;
    // An officer only ever takes away, and only what is taken away is confirmed.
    if state == UserState::Active {
        patience.must_be_none()?;
        bearer.needs(Role::Admin)?;
    }
    let reason = parse::reason(body.reason.as_deref())?;
    let outcome = app
        .store
        .write(&bearer.actor, app.now())
        .set_user_state(&name, state, reason.as_ref())
        .await?;
    let done = (Action::UserSetState, Object::User(name));
    patience.answer(&app, outcome, done).await
}
