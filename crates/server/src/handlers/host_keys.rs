//! Which snapshot keys a host is to go by, while these are exchanged.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use keyroster_api::key_set::{HEADER, KeyChain};
use keyroster_api::paths;
use serde::Deserialize;

use crate::app::App;
use crate::caller::{self, Caller};
use crate::error::Answer;
use crate::extract::{Json, Params};

/// What stands in the query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    #[serde(default)]
    after: u64,
}

/// The snapshot keys
///
/// The signed documents that lead from the set of keys that the host goes by to the newest: see `docs/rotation.md`. A host asks
/// when the header `Keyroster-Keys` of an answer names a later set than its own.
#[utoipa::path(get, path = paths::HOST_KEYS, tag = "hosts' own",
    params(("after" = Option<u64>, Query, description = "The serial of the set that the host goes by; 0 when absent")),
    responses((status = 200, description = "The documents, in order", body = KeyChain)))]
pub async fn host_keys(
    State(app): State<App>,
    caller: Caller,
    Params(query): Params<Query>,
) -> Answer<Json<KeyChain>> {
    caller::admit_to_write(&app, &caller).await?;
    Ok(Json(app.key_chain.after(query.after)))
}

/// The set of keys that a host says it goes by; `None` when it does not say so.
#[must_use]
pub fn known(headers: &HeaderMap) -> Option<u64> {
    headers.get(KEYS)?.to_str().ok()?.parse().ok()
}

/// The newest set, for an answer; none where keys were never exchanged.
#[must_use]
pub fn newest(app: &App) -> Option<(HeaderName, HeaderValue)> {
    match app.key_chain.serial() {
        0 => None,
        serial => Some((KEYS, HeaderValue::from(serial))),
    }
}

const KEYS: HeaderName = HeaderName::from_static(HEADER);
