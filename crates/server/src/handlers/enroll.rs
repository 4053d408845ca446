//! Enrolment: a host shows its token and gets its credential.

use axum::extract::State;
use axum::http::StatusCode;
use keyroster_api::enroll::{Enroll, Enrolled};
use keyroster_api::{ProblemKind, paths};
use keyroster_keys::HostName;
use keyroster_roster::{Actor, HostId};
use keyroster_store::Enrolment;

use crate::app::App;
use crate::certificate_request::CertificateRequest;
use crate::error::{Answer, ApiError, model_error};
use crate::extract::Json;
use crate::host_identity::{FIRST_GENERATION, HostIdentity};
use crate::parse;
use crate::secret;

/// Enrols a host
///
/// The enrolment token in the body is the credential; it is burnt in the transaction that adds the host.
#[utoipa::path(post, path = paths::ENROLL, tag = "hosts' own", request_body = Enroll,
    responses((status = 201, description = "The host's credential", body = Enrolled)))]
pub async fn enroll(
    State(app): State<App>,
    Json(body): Json<Enroll>,
) -> Answer<(StatusCode, Json<Enrolled>)> {
    // What costs least comes first: anybody may ask.
    let hash = secret::enrolment_hash(&body.secret).ok_or_else(|| refused(&app))?;
    let name: HostName = parse::field("name", &body.name)?;
    let request =
        CertificateRequest::parse(&body.csr).map_err(|error| ApiError::invalid("csr", &error))?;
    let now = app.now();
    let host = HostId::parse(&app.new_id()?).map_err(model_error("id"))?;
    // Signed before the token is burnt, so that nothing can fail in between and leave a host without a certificate.
    let identity = HostIdentity {
        host: host.clone(),
        generation: FIRST_GENERATION,
    };
    let certificate = app
        .ca
        .issue_host(&request, &identity, now, app.new_serial()?)?;
    let actor = Actor::parse(&format!("host:{host}")).map_err(model_error("id"))?;
    match app
        .store
        .write(&actor, now)
        .enrol_host(&hash, &host, &name)
        .await?
    {
        Enrolment::Enrolled { host_group, state } => {
            tracing::info!(%host, %name, %host_group, "host enrolled");
            let enrolled = Enrolled {
                host_id: host.to_string(),
                name: name.to_string(),
                certificate,
                ca: app.ca.pem().to_owned(),
                snapshot_key: app.snapshot_key.line.clone(),
                next_snapshot_key: app.snapshot_key.next_line.clone(),
                keys_serial: app.key_chain.first_serial(),
                epoch: state.epoch.get(),
                revision: state.revision.get(),
            };
            Ok((StatusCode::CREATED, Json(enrolled)))
        }
        Enrolment::Refused(why) => {
            tracing::warn!(%name, why = why.as_str(), "enrolment token refused");
            Err(refused(&app))
        }
    }
}

/// Whether a token never was, was used or is over is nothing that a stranger has to know.
fn refused(app: &App) -> ApiError {
    app.metrics.refused_credentials.increment(1);
    let detail = "the enrolment token was used, has expired, or never was one";
    ApiError::hinted(
        ProblemKind::EnrolmentRefused,
        detail,
        "ask an admin for a new one; it lives one hour at most",
    )
}
