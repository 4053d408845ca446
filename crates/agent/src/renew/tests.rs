use axum::Json;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use keyroster_api::paths::HOST_CERTIFICATE;
use keyroster_testkit::TestCa;

use super::*;
use crate::certificate::Lifetime;
use crate::enrolment_server::{Authority, EnrolmentServer};
use crate::testing::{BOOT, credential, moment};

async fn renewed(
    answerer: impl Fn(&Authority, &str, &[u8]) -> Response + Send + Sync + 'static,
) -> (Credential, Result<Credential, RenewalError>) {
    let server = EnrolmentServer::start(answerer).await;
    let old = Credential {
        ca: server.ca_pem(),
        ..credential(&TestCa::new().unwrap(), &server.url())
    };
    let fetcher = Fetcher::new(&old, None).unwrap();
    let renewed = renew(&fetcher, &old).await;
    (old, renewed)
}

#[tokio::test]
async fn a_renewal_brings_a_new_key_and_its_certificate_and_changes_nothing_else() {
    let (old, renewed) = renewed(|authority, path, body| {
        assert_eq!(path, HOST_CERTIFICATE);
        Json(authority.renew(body)).into_response()
    })
    .await;
    let new = renewed.unwrap();
    assert_ne!(new.key, old.key);
    assert_ne!(new.certificate, old.certificate);
    assert_eq!((&new.host, &new.ca), (&old.host, &old.ca));
    new.identity().unwrap();
}

#[tokio::test]
async fn an_answer_that_is_no_certificate_for_the_new_key_is_refused() {
    let (_, foreign) = renewed(|authority, _, _| {
        let request = NewKey::generate().unwrap().request().unwrap();
        Json(RenewedCertificate {
            certificate: authority.sign(&request),
        })
        .into_response()
    })
    .await;
    assert!(matches!(foreign, Err(RenewalError::Answer)));
    let (_, page) = renewed(|_, _, _| Html("<h1>hello</h1>").into_response()).await;
    assert!(matches!(page, Err(RenewalError::Answer)));
    let (_, failed) = renewed(|_, _, _| StatusCode::SERVICE_UNAVAILABLE.into_response()).await;
    assert!(matches!(failed, Err(RenewalError::Fetch(_))));
}

#[test]
fn after_a_failure_the_next_try_waits() {
    let credential = credential(&TestCa::new().unwrap(), "https://keys.example");
    let Lifetime { until_s, .. } = credential.lifetime().unwrap();
    let mut schedule = Schedule::default();
    let at = |second| moment(BOOT, second, until_s);
    assert!(schedule.is_due(&credential, &at(10)));
    schedule.failed(&at(10));
    assert!(!schedule.is_due(&credential, &at(10 + RETRY_PAUSE.as_secs() - 1)));
    assert!(schedule.is_due(&credential, &at(10 + RETRY_PAUSE.as_secs())));
    schedule.succeeded();
    assert!(
        !schedule.is_due(&credential, &moment(BOOT, 10, 0)),
        "a certificate with its life before it"
    );
}
