//! A roster that is put back: with a restore hosts follow, and without one they are not told wrong things.

use std::time::Duration;

use axum::http::Method;
use keyroster_api::paths;
use serde_json::{Value, json};

use crate::fixture::{ED25519, Fixture, PutBack, logged};

async fn revoke(fixture: &Fixture, key: &str) {
    let path = paths::fill(paths::KEY_REVOKE, &[key]);
    assert_eq!(fixture.post(&path, Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_restored_roster_is_served_under_a_higher_epoch_without_what_was_revoked_since() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    fixture.back_up().await;
    revoke(&fixture, &key).await;
    let held = host.poll(None).await.etag().to_owned();
    let fixture = fixture.put_back(PutBack::Restore).await;
    let reply = host.poll_at(fixture.server.address(), Some(&held)).await;
    assert!(reply.etag().starts_with("\"2."), "{reply:?}");
    assert_eq!(reply.snapshot()["accounts"], json!([]));
}

#[tokio::test]
async fn a_certificate_that_a_restored_roster_forgot_is_taken_and_a_copy_of_an_old_one_locks_the_host()
 {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    fixture.back_up().await;
    let (reply, key) = host.renew().await;
    let certificate = reply.json()["certificate"].as_str().unwrap().to_owned();
    let renewed = host.with_client(fixture.host_client(&certificate, &key));
    assert_eq!(renewed.poll(None).await.status, 200);
    let fixture = fixture.put_back(PutBack::Restore).await;
    let address = fixture.server.address();
    assert_eq!(renewed.poll_at(address, None).await.status, 200);
    fixture.clock.advance(keyroster_store::OVERLAP_S);
    assert_eq!(
        host.poll_at(address, None).await.problem(),
        "host-gone",
        "somebody has a copy"
    );
}

#[tokio::test]
async fn without_a_restore_a_certificate_that_was_never_issued_locks_the_host_as_ever() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    fixture.back_up().await;
    let (reply, key) = host.renew().await;
    let certificate = reply.json()["certificate"].as_str().unwrap().to_owned();
    let renewed = host.with_client(fixture.host_client(&certificate, &key));
    let fixture = fixture.put_back(PutBack::File).await;
    assert_eq!(
        renewed
            .poll_at(fixture.server.address(), None)
            .await
            .problem(),
        "host-gone"
    );
}

#[tokio::test]
async fn a_host_that_was_enrolled_after_the_backup_is_enrolled_again_by_a_restore() {
    let fixture = Fixture::start().await;
    fixture.let_alice_in(ED25519).await;
    fixture.back_up().await;
    let host = fixture.enrol("web-1", "web").await;
    let fixture = fixture.put_back(PutBack::Restore).await;
    let reply = host.poll_at(fixture.server.address(), None).await;
    assert_eq!(reply.snapshot()["accounts"][0]["name"], "deploy");
}

#[tokio::test]
async fn a_host_that_the_roster_does_not_know_is_not_told_that_it_is_out() {
    let fixture = Fixture::start().await;
    fixture.back_up().await;
    let host = fixture.enrol("web-1", "web").await;
    let fixture = fixture.put_back(PutBack::File).await;
    let reply = host.poll_at(fixture.server.address(), None).await;
    assert_eq!(
        (reply.status, reply.problem().as_str()),
        (503, "unavailable")
    );
    assert_eq!(fixture.metric("keyroster_roster_went_back_total").await, 1);
    assert!(logged().contains("does not know a host"));
}

#[tokio::test]
async fn a_host_that_holds_more_than_the_roster_is_seen() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let held = host.poll(None).await.etag().to_owned();
    fixture.back_up().await;
    assert_eq!(host.poll(Some(&held)).await.status, 304);
    assert_eq!(fixture.metric("keyroster_roster_went_back_total").await, 0);
    revoke(&fixture, &key).await;
    let held = host.poll(None).await.etag().to_owned();
    let fixture = fixture.put_back(PutBack::File).await;
    let reply = host.poll_at(fixture.server.address(), Some(&held)).await;
    assert_eq!(reply.status, 200, "the host refuses it by itself");
    assert_eq!(fixture.metric("keyroster_roster_went_back_total").await, 1);
    assert!(logged().contains("a host holds a newer snapshot than the roster"));
}

#[tokio::test]
async fn a_revocation_goes_on_while_the_journal_cant_be_written_and_that_is_said() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let journal = fixture.file("revocations.journal");
    let ready = |reply: crate::fixture::Reply| String::from_utf8(reply.body.to_vec()).unwrap();
    // Nothing can be written to a directory.
    let _ = std::fs::remove_file(&journal);
    std::fs::create_dir(&journal).unwrap();
    revoke(&fixture, &key).await;
    let reply = fixture
        .call(Method::GET, paths::READYZ, None, Value::Null)
        .await;
    assert_eq!(reply.status, 200);
    assert!(ready(reply).contains("journal can't be written"));
    while fixture.metric("keyroster_revocation_journal_behind").await != 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    std::fs::remove_dir(&journal).unwrap();
    while fixture.metric("keyroster_revocation_journal_behind").await != 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // It catches up from the audit log.
    while !std::fs::read_to_string(&journal).is_ok_and(|text| text.contains(&key)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
