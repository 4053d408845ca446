//! The audit log.

use axum::extract::State;
use keyroster_api::audit::{AuditHead, EventView};
use keyroster_api::page::{Page, PageQuery};
use keyroster_api::paths;
use keyroster_roster::AuditEvent;

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Json, Params};
use crate::page;

/// Audit events, the oldest first
#[utoipa::path(get, path = paths::AUDIT_EVENTS, tag = "audit", params(PageQuery),
    responses((status = 200, description = "A page of events", body = Page<EventView>)))]
pub async fn list_events(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<EventView>>> {
    let (after, limit) = page::read::<u64>(&query)?;
    let events = app
        .store
        .read()
        .await?
        .audit_events(after.unwrap_or(0), limit)
        .await?;
    Ok(Json(page::view(events, view)))
}

/// The end of the audit log's chain
#[utoipa::path(get, path = paths::AUDIT_HEAD, tag = "audit",
    responses((status = 200, description = "The newest event's place and hash", body = AuditHead)))]
pub async fn show_head(State(app): State<App>) -> Answer<Json<AuditHead>> {
    let head = app.store.state().await?.head;
    Ok(Json(AuditHead {
        sequence: head.sequence,
        hash: head.hash.to_string(),
    }))
}

fn view(event: &AuditEvent) -> EventView {
    EventView {
        sequence: event.sequence,
        revision: event.revision.get(),
        at: event.at,
        actor: event.actor.clone(),
        action: event.action.clone(),
        object: event.object.clone(),
        detail: event.detail.clone(),
        previous_hash: event.previous_hash.to_string(),
        hash: event.hash.to_string(),
    }
}
