//! What is there without a roster.

use axum::http::Method;
use keyroster_api::paths;
use serde_json::Value;

use crate::fixture::Fixture;

#[tokio::test]
async fn health_and_readiness_are_told_to_anybody_and_metrics_are_not() {
    let fixture = Fixture::start().await;
    for path in [paths::HEALTHZ, paths::READYZ] {
        let reply = fixture.call(Method::GET, path, None, Value::Null).await;
        assert_eq!(
            (reply.status, reply.body.as_ref()),
            (200, b"ok\n".as_slice()),
            "{path}"
        );
    }
    assert_eq!(
        fixture
            .call(Method::GET, paths::METRICS, None, Value::Null)
            .await
            .problem(),
        "unauthenticated"
    );
    let auditor = fixture.token("prometheus", "auditor").await;
    let reply = fixture
        .call(Method::GET, paths::METRICS, Some(&auditor), Value::Null)
        .await;
    assert_eq!(
        (reply.status, &reply.headers["content-type"]),
        (200, &"text/plain; version=0.0.4".parse().unwrap())
    );
}

#[tokio::test]
async fn metrics_count_requests_snapshots_and_the_revision() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let tag = host.poll(None).await.etag().to_owned();
    assert_eq!(host.poll(Some(&tag)).await.status, 304);
    fixture.add_user("bob").await;
    assert_eq!(host.poll(Some(&tag)).await.status, 304);
    let text = String::from_utf8(fixture.get(paths::METRICS).await.body.to_vec()).unwrap();
    for line in [
        "keyroster_http_requests_total{method=\"GET\",route=\"/v1/host/snapshot\",status=\"2xx\"} 1".to_owned(),
        "keyroster_http_requests_total{method=\"GET\",route=\"/v1/host/snapshot\",status=\"3xx\"} 2".to_owned(),
        "keyroster_snapshot_answers_total{from=\"rendered\"} 1".to_owned(),
        "keyroster_snapshot_answers_total{from=\"memory\"} 2".to_owned(),
        "keyroster_snapshot_answers_total{from=\"unchanged\"} 0".to_owned(),
        format!("keyroster_roster_revision {}", fixture.revision().await),
        "keyroster_roster_epoch 1".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_strangers_paths_and_methods_do_not_become_metrics() {
    let fixture = Fixture::start().await;
    for path in ["/one", "/two"] {
        let method = Method::from_bytes(b"BREW").unwrap();
        assert_eq!(
            fixture.call(method, path, None, Value::Null).await.status,
            404
        );
    }
    let text = String::from_utf8(fixture.get(paths::METRICS).await.body.to_vec()).unwrap();
    assert!(
        text.contains("{method=\"other\",route=\"none\",status=\"4xx\"} 2"),
        "{text}"
    );
}

#[tokio::test]
async fn the_ca_that_is_served_is_the_one_that_vouches_for_the_server() {
    let fixture = Fixture::start().await;
    let reply = fixture
        .call(Method::GET, paths::CA, None, Value::Null)
        .await;
    assert_eq!(
        keyroster_edge::certificate_from_pem(&reply.body).unwrap(),
        fixture.ca
    );
}

#[tokio::test]
async fn first_contact_by_the_fingerprint_that_init_prints_works() {
    let fixture = Fixture::start().await;
    let trust = keyroster_edge::Trust::Pinned(keyroster_edge::CaPin::of(&fixture.ca));
    let client =
        keyroster_edge::http_client(trust, None, keyroster_edge::ClientLimits::default()).unwrap();
    let answer = client
        .send(
            client.request(Method::GET, &fixture.url(paths::HEALTHZ)),
            64,
        )
        .await
        .unwrap();
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(client.ca_seen().as_ref(), Some(&fixture.ca));
}
