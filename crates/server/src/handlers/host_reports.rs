//! What a host reports about itself.

use axum::extract::State;
use keyroster_api::ProblemKind;
use keyroster_api::host_report::{
    HostReportBody, HostReportTaken, HostReports, HostReportsTaken, MAX_REPORTS,
};
use keyroster_api::paths;
use keyroster_keys::{AccountName, Fingerprint};
use keyroster_roster::{Actor, HostReport, ReportId, ReportKind};
use keyroster_store::{Novelty, Reported, TakenReport};

use crate::app::App;
use crate::caller::{self, Caller};
use crate::error::{Answer, ApiError, model_error};
use crate::extract::Json;

/// What happened on the calling host
///
/// Each report becomes one audit event, however often it is told: a host that heard no answer tells it again. Either all reports
/// of a request are written or none is. A host may tell 60 in a minute, and is answered 429 beyond that.
#[utoipa::path(post, path = paths::HOST_REPORTS, tag = "hosts' own", request_body = HostReports,
    responses((status = 200, description = "They are written", body = HostReportsTaken)))]
pub async fn report(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<HostReports>,
) -> Answer<Json<HostReportsTaken>> {
    let reports = parse(&body)?;
    caller::admit_to_write(&app, &caller).await?;
    let actor = Actor::parse(&format!("host:{}", caller.host)).map_err(model_error("id"))?;
    let writer = app.store.write(&actor, app.now());
    match writer.report(&caller.host, &reports).await? {
        Reported::Taken(taken) => {
            tell(&app, &caller, &reports, &taken);
            Ok(Json(view(&taken)))
        }
        Reported::TooMany => {
            tracing::warn!(host = %caller.host, "a host reports too much and is told to wait");
            Err(ApiError::refused(
                ProblemKind::TooManyRequests,
                "too many reports within a minute; none of these was written",
            ))
        }
    }
}

fn parse(body: &HostReports) -> Answer<Vec<HostReport>> {
    if body.reports.is_empty() || body.reports.len() > MAX_REPORTS {
        let what = format!("there are 1 to {MAX_REPORTS} in a request");
        return Err(ApiError::invalid("reports", &what));
    }
    body.reports.iter().map(parse_one).collect()
}

fn parse_one(body: &HostReportBody) -> Answer<HostReport> {
    let kind = ReportKind::parse(&body.kind);
    Ok(HostReport {
        id: ReportId::parse(&body.id).map_err(model_error("id"))?,
        kind: kind.ok_or_else(|| ApiError::invalid("kind", &"it is not known here"))?,
        account: AccountName::parse(&body.account)
            .map_err(|error| ApiError::invalid("account", &error))?,
        key: Fingerprint::parse(&body.fingerprint)
            .map_err(|error| ApiError::invalid("fingerprint", &error))?,
        at: body.at,
    })
}

/// The log and the counters: of what was not told before.
fn tell(app: &App, caller: &Caller, reports: &[HostReport], taken: &[TakenReport]) {
    for (report, taken) in reports.iter().zip(taken) {
        if taken.novelty == Novelty::Known {
            continue;
        }
        app.metrics.reported(report.kind);
        let (host, account, key, at) = (&caller.host, &report.account, &report.key, report.at);
        match report.kind {
            ReportKind::BreakGlass => {
                tracing::warn!(%host, %account, %key, host_time = %at, "a break-glass key was used");
            }
            ReportKind::Drill => {
                tracing::info!(%host, %account, %key, host_time = %at, "the break-glass way in was tried");
            }
        }
    }
}

fn view(taken: &[TakenReport]) -> HostReportsTaken {
    let view = |taken: &TakenReport| HostReportTaken {
        id: taken.id.to_string(),
        revision: taken.revision.get(),
    };
    HostReportsTaken {
        reports: taken.iter().map(view).collect(),
    }
}
