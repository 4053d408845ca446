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
    let renewed = renew(&fetcher, &old, RENEWAL_TIMEOUT).await;
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
    schedule.succeeded(&at(1000));
    assert!(
        !schedule.is_due(&credential, &moment(BOOT, 5000, 0)),
        "a certificate with its life before it"
    );
}

#[test]
fn what_the_key_server_asks_of_all_hosts_each_does_at_a_moment_of_its_own() {
    let credential = credential(&TestCa::new().unwrap(), "https://keys.example");
    let at = |second| moment(BOOT, second, 0);
    let within = Some(Duration::from_secs(600));
    for (jitter, second) in [(0, 100), (u16::MAX / 2, 400), (u16::MAX, 700)] {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.until_asked(&at(100)), None);
        schedule.hear(None, &at(100), jitter);
        assert!(!schedule.is_due(&credential, &at(9999)));
        schedule.hear(within, &at(100), jitter);
        // Said with each answer: the moment stays.
        schedule.hear(within, &at(101), 0);
        assert!(!schedule.is_due(&credential, &at(second - 1)), "{jitter}");
        assert!(schedule.is_due(&credential, &at(second)), "{jitter}");
        // A key server that lags behind asks again.
        schedule.succeeded(&at(second));
        schedule.hear(within, &at(second), 0);
        let rested = second + REST.as_secs();
        assert_eq!(schedule.until_asked(&at(second)), Some(REST));
        assert!(!schedule.is_due(&credential, &at(rested - 1)));
        assert!(schedule.is_due(&credential, &at(rested)));
    }
}

#[test]
fn a_time_without_end_is_not_waited_for() {
    let mut schedule = Schedule::default();
    schedule.hear(Some(Duration::MAX), &moment(BOOT, 0, 0), u16::MAX);
    assert_eq!(schedule.until_asked(&moment(BOOT, 0, 0)), Some(MAX_SPREAD));
}
