//! Enrolment: a host shows its token and gets its credential.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyroster_api::enroll::{Enroll, Enrolled, PIN_BYTES, SNAPSHOT_PIN_HEADER};
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
/// The enrolment token in the body is the credential; it is burnt in the transaction that adds the host. A host that says which snapshot
/// key its token pins is refused before that, when no host is told of that key any more: it could not use what it got.
#[utoipa::path(post, path = paths::ENROLL, tag = "hosts' own", request_body = Enroll,
    params(("Keyroster-Snapshot-Pin" = Option<String>, Header, description = "The SHA-256 of the snapshot key that the token pins, in base64url")),
    responses((status = 201, description = "The host's credential", body = Enrolled)))]
pub async fn enroll(
    State(app): State<App>,
    headers: HeaderMap,
    Json(body): Json<Enroll>,
) -> Answer<(StatusCode, Json<Enrolled>)> {
    if let Pinned::Gone = pinned(&headers, &app.snapshot_key.pins) {
        return Err(outdated(&app));
    }
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
                ca: app.ca.in_force().pem().to_owned(),
                other_ca: app.ca.other_pem(),
                snapshot_key: app.snapshot_key.line.clone(),
                next_snapshot_key: app.snapshot_key.other_line.clone(),
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

/// What a token pins, as the host says.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pinned {
    /// A key that hosts go by, or the host does not say.
    Known,
    /// A key that they went by before, or never.
    Gone,
}

fn pinned(headers: &HeaderMap, pins: &[[u8; PIN_BYTES]]) -> Pinned {
    let Some(said) = headers.get(SNAPSHOT_PIN_HEADER) else {
        return Pinned::Known;
    };
    let said = URL_SAFE_NO_PAD.decode(said.as_bytes()).unwrap_or_default();
    match pins.iter().any(|pin| pin.as_slice() == said) {
        true => Pinned::Known,
        false => Pinned::Gone,
    }
}

/// Nobody has used the token up, and yet it is of no use.
fn outdated(app: &App) -> ApiError {
    app.metrics.refused_credentials.increment(1);
    let detail =
        "the enrolment token is from before an exchange of the snapshot key; it was not used";
    ApiError::hinted(
        ProblemKind::EnrolmentRefused,
        detail,
        "ask an admin for a new one",
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_a_key_that_is_gone_is_told_from_one_of_a_key_that_hosts_go_by() {
        let pins = [[1; PIN_BYTES], [2; PIN_BYTES]];
        let said = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(SNAPSHOT_PIN_HEADER, text.parse().unwrap());
            pinned(&headers, &pins)
        };
        for pin in pins {
            assert_eq!(said(&URL_SAFE_NO_PAD.encode(pin)), Pinned::Known);
        }
        assert_eq!(said(&URL_SAFE_NO_PAD.encode([3; PIN_BYTES])), Pinned::Gone);
        assert_eq!(said("nonsense"), Pinned::Gone);
        // A host agent from before this header.
        assert_eq!(pinned(&HeaderMap::new(), &pins), Pinned::Known);
    }
}
