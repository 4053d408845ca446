//! The certificate's end.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use keyroster_api::paths::HOST_CERTIFICATE;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;
use crate::enrolment_server::EnrolmentServer;

#[tokio::test]
async fn a_certificate_in_its_last_third_is_renewed_kept_and_used() {
    let server = EnrolmentServer::start(|authority, path, body| match path {
        HOST_CERTIFICATE => Json(authority.renew(body)).into_response(),
        _ => StatusCode::NOT_MODIFIED.into_response(),
    })
    .await;
    let disk = tempfile::tempdir().unwrap();
    let state = disk.path().join("state");
    let key = KeyPair::generate().unwrap();
    let old = Credential {
        ca: server.ca_pem(),
        certificate: until_2027(&key),
        key: key.serialize_pem().into(),
        ..credential(&TestCa::new().unwrap(), &server.url())
    };
    enrolled(&state, &old);
    let mut agent = start(&state, &TestClock::new(), &server.url());
    assert!(
        agent
            .poller
            .renewal
            .is_due(&agent.poller.credential, &agent.shared.now())
    );
    agent.poller.renew().await;
    assert_eq!(agent.health().renewal, None);
    let kept = Credential::load(agent.poller.keeper.dir())
        .unwrap()
        .unwrap();
    assert_ne!(kept.key, old.key);
    assert_eq!(kept.certificate, agent.poller.credential.certificate);
    let until_s = kept.lifetime().unwrap().until_s;
    assert_eq!(agent.health().certificate_until_s, Some(until_s));
    assert!(!agent.poller.renewal.is_due(&kept, &agent.shared.now()));
}

/// In its last third, or past it.
fn until_2027(key: &KeyPair) -> String {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params.self_signed(key).unwrap().pem()
}
