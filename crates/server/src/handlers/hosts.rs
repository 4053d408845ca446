//! Hosts, as people see them. What a host asks for itself is in [`crate::handlers::host`].

use std::collections::BTreeMap;

use axum::extract::State;
use keyroster_api::host::HostView;
use keyroster_api::host_report::HostReportView;
use keyroster_api::page::{Page, PageQuery};
use keyroster_api::paths;
use keyroster_api::receipt::Written;
use keyroster_roster::{Host, HostId, ReportKind};
use keyroster_store::{Confirmation, LastReport, Object, Reader, StoreError};

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
    let said = match (hosts.items.first(), hosts.items.last()) {
        (Some(first), Some(last)) => Said::by(&mut reader, &first.id, &last.id).await?,
        _ => Said::default(),
    };
    Ok(Json(page::view(hosts, |host| said.view(host))))
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
    let said = Said::by(&mut reader, &host.id, &host.id).await?;
    Ok(Json(said.view(&host)))
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

/// What hosts have said of themselves.
#[derive(Default)]
struct Said {
    answered: BTreeMap<HostId, Confirmation>,
    reports: BTreeMap<(HostId, ReportKind), LastReport>,
}

impl Said {
    async fn by(reader: &mut Reader, first: &HostId, last: &HostId) -> Answer<Self> {
        Ok(Self {
            answered: reader.confirmations(first, last).await?,
            reports: reader.last_reports(first, last).await?,
        })
    }

    fn view(&self, host: &Host) -> HostView {
        let answered = self.answered.get(&host.id);
        HostView {
            last_break_glass: self.report(host, ReportKind::BreakGlass),
            last_drill: self.report(host, ReportKind::Drill),
            ..HostView::new(host, answered.map(|said| (said.asks, said.at)))
        }
    }

    fn report(&self, host: &Host, kind: ReportKind) -> Option<HostReportView> {
        let last = self.reports.get(&(host.id.clone(), kind))?;
        Some(HostReportView {
            account: last.report.account.to_string(),
            fingerprint: last.report.key.to_string(),
            at: last.report.at,
            received_at: last.received_at,
        })
    }
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
