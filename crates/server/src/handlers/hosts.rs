//! Hosts, as people see them. What a host asks for itself is in [`crate::handlers::host`].

use std::collections::BTreeMap;

use axum::extract::State;
use keyroster_api::host::HostView;
use keyroster_api::page::{Page, PageQuery};
use keyroster_api::paths;
use keyroster_api::receipt::Written;
use keyroster_roster::Host;
use keyroster_store::{Confirmation, Object, Reader, StoreError};

use crate::app::App;
use crate::auth::Bearer;
use crate::error::Answer;
use crate::extract::{Json, Params, Segment};
use crate::page;
use crate::parse::{self, HostRef};

/// Hosts in order of enrolment, removed ones too
#[utoipa::path(get, path = paths::HOSTS, tag = "hosts", params(PageQuery),
    responses((status = 200, description = "A page of hosts", body = Page<HostView>)))]
pub async fn list_hosts(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<HostView>>> {
    let (after, limit) = page::read(&query)?;
    let mut reader = app.store.read().await?;
    let hosts = reader.hosts(after.as_ref(), limit).await?;
    let answered = match (hosts.items.first(), hosts.items.last()) {
        (Some(first), Some(last)) => reader.confirmations(&first.id, &last.id).await?,
        _ => BTreeMap::new(),
    };
    Ok(Json(page::view(hosts, |host| {
        view(host, answered.get(&host.id))
    })))
}

/// One host
#[utoipa::path(get, path = paths::HOST, tag = "hosts",
    params(("host" = String, Path, description = "The host's name or id")),
    responses((status = 200, description = "The host", body = HostView)))]
pub async fn show_host(
    State(app): State<App>,
    Segment(host): Segment<HostRef>,
) -> Answer<Json<HostView>> {
    let mut reader = app.store.read().await?;
    let host = find_in(&mut reader, host).await?;
    let answered = reader.confirmations(&host.id, &host.id).await?;
    Ok(Json(view(&host, answered.get(&host.id))))
}

/// Removes a host: nobody logs in through it any more
#[utoipa::path(delete, path = paths::HOST, tag = "hosts",
    params(("host" = String, Path, description = "The host's name or id")),
    responses((status = 200, description = "From which revision on it holds", body = Written)))]
pub async fn remove_host(
    State(app): State<App>,
    bearer: Bearer,
    Segment(host): Segment<HostRef>,
) -> Answer<Json<Written>> {
    let host = find(&app, host).await?;
    let outcome = app
        .store
        .write(&bearer.actor, app.now())
        .remove_host(&host.id)
        .await?;
    Ok(Json(parse::written(outcome.state())))
}

fn view(host: &Host, said: Option<&Confirmation>) -> HostView {
    HostView::new(host, said.map(|said| (said.asks, said.at)))
}

/// The host that is meant.
///
/// # Errors
/// When there is none, or the database does not answer.
pub async fn find(app: &App, host: HostRef) -> Answer<Host> {
    find_in(&mut app.store.read().await?, host).await
}

/// The host that is meant, among what this reader sees.
///
/// # Errors
/// When there is none, or the database does not answer.
pub async fn find_in(reader: &mut Reader, host: HostRef) -> Answer<Host> {
    let (found, object) = match host {
        HostRef::Id(id) => (reader.host(&id).await?, Object::Host(id)),
        HostRef::Name(name) => (reader.host_named(&name).await?, Object::HostNamed(name)),
    };
    Ok(found.ok_or(StoreError::NotFound { object })?)
}
