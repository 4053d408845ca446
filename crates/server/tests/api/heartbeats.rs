//! The heartbeat: which answers carry one, and that it says what they say.

use axum::http::Method;
use keyroster_api::heartbeat::{HEARTBEAT_HEADER, Heartbeat, NONCE_BYTES, NONCE_HEADER, Nonce};
use keyroster_api::signature::SnapshotPublicKey;
use keyroster_server::clock::Clock as _;
use serde_json::Value;

use crate::fixture::{ED25519, Fixture, Host, Reply};

const NONCE: Nonce = Nonce::new([7; NONCE_BYTES]);

/// Asks with a nonce, holding the snapshot with this entity tag.
async fn ask(host: &Host, held: Option<&str>) -> Reply {
    let nonce = NONCE.to_string();
    let mut headers = vec![(NONCE_HEADER, nonce.as_str())];
    headers.extend(held.map(|tag| ("if-none-match", tag)));
    host.ask(&headers).await
}

/// What the heartbeat of an answer says, read as the host reads it.
fn heartbeat(fixture: &Fixture, host: &Host, reply: &Reply) -> Heartbeat {
    let key = std::fs::read_to_string(fixture.file("snapshot-key.pub")).unwrap();
    let key = SnapshotPublicKey::from_openssh(&key).unwrap();
    let value = reply.headers[HEARTBEAT_HEADER].as_bytes();
    Heartbeat::from_header(value, &key, &host.enrolled.host_id, NONCE).unwrap()
}

#[tokio::test]
async fn an_answer_with_a_snapshot_and_one_without_carry_a_heartbeat_for_what_they_say() {
    let fixture = Fixture::start().await;
    fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let first = ask(&host, None).await;
    let said = heartbeat(&fixture, &host, &first);
    assert_eq!((first.status, said.tag().unwrap()), (200, first.tag()));
    assert_eq!(said.roster_revision, fixture.revision().await);
    let again = ask(&host, Some(first.etag())).await;
    let said = heartbeat(&fixture, &host, &again);
    assert_eq!((again.status, said.tag().unwrap()), (304, first.tag()));
}

#[tokio::test]
async fn a_heartbeat_tells_the_revision_up_to_which_nothing_changed_for_the_host() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let first = ask(&host, None).await;
    fixture.add_user("alice").await;
    let again = ask(&host, Some(first.etag())).await;
    let said = heartbeat(&fixture, &host, &again);
    assert_eq!((again.status, said.tag().unwrap()), (304, first.tag()));
    assert_eq!(said.roster_revision, fixture.revision().await);
    assert!(said.roster_revision > said.revision);
}

#[tokio::test]
async fn a_heartbeat_after_a_wait_tells_the_time_of_the_answer_and_not_of_the_question() {
    let fixture = Fixture::start().await;
    fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let first = ask(&host, None).await;
    let nonce = NONCE.to_string();
    let headers = [
        (NONCE_HEADER, nonce.as_str()),
        ("if-none-match", first.etag()),
        ("prefer", "wait=30"),
    ];
    let change = async {
        fixture.until_waiting(1).await;
        fixture.clock.advance(1000);
        let bye = fixture.admin(
            Method::PATCH,
            "/v1/users/alice",
            serde_json::json!({ "state": "suspended" }),
        );
        assert_eq!(bye.await.status, 200);
        fixture.clock.unix_millis()
    };
    let (told, changed_at) = tokio::join!(host.ask(&headers), change);
    let said = heartbeat(&fixture, &host, &told);
    assert_eq!((told.status, said.tag().unwrap()), (200, told.tag()));
    let second_before = i64::try_from(changed_at).unwrap() - 1000;
    assert!(said.server_time_ms >= second_before, "{said:?}");
}

#[tokio::test]
async fn who_asks_without_a_nonce_gets_no_heartbeat_and_what_is_no_nonce_is_refused() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    assert!(!host.poll(None).await.headers.contains_key(HEARTBEAT_HEADER));
    let good = NONCE.to_string();
    let twice = [(NONCE_HEADER, good.as_str()), (NONCE_HEADER, good.as_str())];
    let padded = format!("{good}==");
    let cases = [
        &[(NONCE_HEADER, "")][..],
        &[(NONCE_HEADER, padded.as_str())],
        &twice,
    ];
    for headers in cases {
        assert_eq!(host.ask(headers).await.problem(), "invalid-value");
    }
}

#[tokio::test]
async fn a_host_that_is_out_gets_no_heartbeat() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let first = ask(&host, None).await;
    let removed = fixture.admin(Method::DELETE, "/v1/hosts/web-1", Value::Null);
    assert_eq!(removed.await.status, 200);
    let out = ask(&host, Some(first.etag())).await;
    assert_eq!(out.problem(), "host-gone");
    assert!(!out.headers.contains_key(HEARTBEAT_HEADER));
}
