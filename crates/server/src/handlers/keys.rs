//! Keys: the door at which a public key comes in.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use keyroster_api::key::{AddKey, KeyView, Revoke};
use keyroster_api::page::{Page, PageQuery};
use keyroster_api::receipt::WaitQuery;
use keyroster_api::{ProblemKind, paths};
use keyroster_keys::{Fingerprint, KeyBlob, KeyPolicy, PastedKeyError, UserName, parse_public_key};
use keyroster_roster::{Key, KeyState, Label};
use keyroster_store::{Action, Object, StoreError};

use crate::app::App;
use crate::auth::Bearer;
use crate::error::{Answer, ApiError, model_error};
use crate::extract::{Json, JsonOrDefault, Params, Segment};
use crate::page;
use crate::parse;
use crate::receipts::{Patience, WrittenOrReceipt};

/// Keys in order of fingerprint
#[utoipa::path(get, path = paths::KEYS, tag = "keys", params(PageQuery),
    responses((status = 200, description = "A page of keys", body = Page<KeyView>)))]
pub async fn list_keys(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<KeyView>>> {
    let (after, limit) = page::read(&query)?;
    let keys = app
        .store
        .read()
        .await?
        .keys(None, after.as_ref(), limit)
        .await?;
    Ok(Json(page::view(keys, |key| KeyView::from(key))))
}

/// One user's keys in order of fingerprint
#[utoipa::path(get, path = paths::USER_KEYS, tag = "keys",
    params(("name" = String, Path, description = "The user's name"), PageQuery),
    responses((status = 200, description = "A page of keys", body = Page<KeyView>)))]
pub async fn list_user_keys(
    State(app): State<App>,
    Segment(user): Segment<UserName>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<KeyView>>> {
    let (after, limit) = page::read(&query)?;
    let mut reader = app.store.read().await?;
    if reader.user(&user).await?.is_none() {
        return Err(StoreError::NotFound {
            object: Object::User(user),
        }
        .into());
    }
    let keys = reader.keys(Some(&user), after.as_ref(), limit).await?;
    Ok(Json(page::view(keys, |key| KeyView::from(key))))
}

/// One key
#[utoipa::path(get, path = paths::KEY, tag = "keys",
    params(("fingerprint" = String, Path, description = "SHA256:… , percent-encoded")),
    responses((status = 200, description = "The key", body = KeyView)))]
pub async fn show_key(
    State(app): State<App>,
    Segment(key): Segment<Fingerprint>,
) -> Answer<Json<KeyView>> {
    let found = app.store.read().await?.key(&key).await?;
    let key = found.ok_or(StoreError::NotFound {
        object: Object::Key(key),
    })?;
    Ok(Json(KeyView::from(&key)))
}

/// Adds a key to a user
#[utoipa::path(post, path = paths::USER_KEYS, tag = "keys", request_body = AddKey,
    params(("name" = String, Path, description = "The user's name")),
    responses((status = 201, description = "The key", body = KeyView)))]
pub async fn add_key(
    State(app): State<App>,
    bearer: Bearer,
    Segment(user): Segment<UserName>,
    Json(body): Json<AddKey>,
) -> Answer<(StatusCode, Json<KeyView>)> {
    let now = app.now();
    let (blob, label) = accept(&app.key_policy, &body)?;
    if body.expires_at.is_some_and(|end| end <= now) {
        return Err(ApiError::invalid("expires_at", &"it lies in the past"));
    }
    let key = Key {
        fingerprint: *blob.fingerprint(),
        user,
        blob,
        label,
        added_at: now,
        expires_at: body.expires_at,
        state: KeyState::Active,
    };
    app.store.write(&bearer.actor, now).add_key(&key).await?;
    Ok((StatusCode::CREATED, Json(KeyView::from(&key))))
}

/// Revokes a key, for good
#[utoipa::path(post, path = paths::KEY_REVOKE, tag = "keys", request_body = Option<Revoke>,
    params(("fingerprint" = String, Path, description = "SHA256:… , percent-encoded"), WaitQuery),
    responses((status = 200, description = "From which revision on it holds", body = WrittenOrReceipt)))]
pub async fn revoke_key(
    State(app): State<App>,
    bearer: Bearer,
    Segment(key): Segment<Fingerprint>,
    Params(query): Params<WaitQuery>,
    JsonOrDefault(body): JsonOrDefault<Revoke>,
) -> Answer<Response> {
    let patience = Patience::read(query)?;
    let reason = parse::reason(body.reason.as_deref())?;
    let outcome = app
        .store
        .write(&bearer.actor, app.now())
        .revoke_key(&key, reason.as_ref())
        .await?;
    let done = (Action::KeyRevoke, Object::Key(key));
    patience.answer(&app, outcome, done).await
}

/// A pasted key that the policy takes, and what it is called: what the body says, else the pasted comment.
fn accept(policy: &KeyPolicy, body: &AddKey) -> Answer<(KeyBlob, Label)> {
    let pasted = parse_public_key(&body.public_key).map_err(|error| refused(&error))?;
    policy.check(&pasted.blob).map_err(|error| {
        ApiError::refused(ProblemKind::UnacceptableKey, format!("public_key: {error}"))
    })?;
    let label = match &body.label {
        Some(label) => Label::parse(label).map_err(model_error("label"))?,
        None => Label::parse(&pasted.comment).map_err(|error| {
            ApiError::refused(
                ProblemKind::UnacceptableKey,
                format!("comment of the key: {error}"),
            )
        })?,
    };
    Ok((pasted.blob, label))
}

/// Which rule the pasted text broke. No part of the text is repeated, here or in the log.
fn refused(error: &PastedKeyError) -> ApiError {
    let detail = format!("public_key: {error}");
    match error {
        PastedKeyError::PrivateKey => {
            let hint = "send the file that ends in .pub, and make a new key pair: this one has been shown to others";
            ApiError::hinted(ProblemKind::PrivateKey, detail, hint)
        }
        _ => ApiError::refused(ProblemKind::UnacceptableKey, detail),
    }
}
