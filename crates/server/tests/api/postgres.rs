//! The main flow once more, on PostgreSQL; and what happens when it goes away.

use axum::http::Method;
use keyroster_api::paths;
use keyroster_server::limits::Limits;
use keyroster_testkit::Postgres;
use serde_json::{Value, json};

use crate::fixture::{ED25519, Fixture};

#[tokio::test]
async fn a_key_is_let_in_revoked_and_out_on_postgresql() {
    let postgres = Postgres::start().unwrap();
    let fixture =
        Fixture::start_on(Some(postgres.fresh_database().unwrap()), Limits::default()).await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let first = host.poll(None).await;
    assert_eq!(first.snapshot()["accounts"][0]["name"], "deploy");
    assert_eq!(host.poll(Some(first.etag())).await.status, 304);
    assert_eq!(
        fixture
            .post(&paths::fill(paths::KEY_REVOKE, &[&key]), Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        host.poll(Some(first.etag())).await.snapshot()["accounts"],
        json!([])
    );
    let (renewed, _) = host.renew().await;
    assert_eq!(renewed.status, 200);
    assert_eq!(
        fixture
            .admin(Method::DELETE, "/v1/hosts/web-1", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(host.poll(None).await.problem(), "host-gone");
}
