//! Hosts that wait for a change: who is woken, and what ends a wait that nobody ended.

use std::time::Duration;

use axum::http::Method;
use keyroster_api::paths;
use keyroster_edge::Drained;
use keyroster_server::limits::Limits;
use keyroster_testkit::Postgres;
use serde_json::{Value, json};

use crate::fixture::{ANOTHER_ED25519, ED25519, Fixture};

const WOKEN: &str = "keyroster_snapshot_waits_total{end=\"change\"}";
const IN_VAIN: &str = "keyroster_snapshot_waits_total{end=\"time\"}";
const SENT_HOME: &str = "keyroster_snapshot_waits_total{end=\"stop\"}";

/// A roster in which a grant for alice on `web` is all that is missing.
async fn alice_outside(fixture: &Fixture) {
    fixture.add_user("alice").await;
    fixture.add_key("alice", ED25519).await;
    fixture.add_host_group("web").await;
}

fn grant() -> Value {
    json!({ "user": "alice", "account": "deploy", "host_group": "web" })
}

#[tokio::test]
async fn a_host_that_waits_is_told_of_a_grant_at_once() {
    let fixture = Fixture::start().await;
    alice_outside(&fixture).await;
    let host = fixture.enrol("web-1", "web").await;
    let held = host.poll(None).await;
    let waiting = host.wait(held.etag(), "wait=999");
    fixture.until_waiting(1).await;
    assert_eq!(fixture.post(paths::GRANTS, grant()).await.status, 201);
    let told = waiting.await.unwrap();
    assert_eq!(told.snapshot()["accounts"][0]["name"], "deploy");
    assert_eq!(told.headers["preference-applied"], "wait=50");
    assert_eq!(fixture.metric(WOKEN).await, 1);
}

#[tokio::test]
async fn a_write_that_does_not_concern_a_host_does_not_wake_it() {
    let fixture = Fixture::start().await;
    alice_outside(&fixture).await;
    let concerned = fixture.enrol("web-1", "web").await;
    let other = fixture.enrol("db-1", "db").await;
    let held = [concerned.poll(None).await, other.poll(None).await];
    let waiting = [
        concerned.wait(held[0].etag(), "wait=30"),
        other.wait(held[1].etag(), "wait=30"),
    ];
    fixture.until_waiting(2).await;
    fixture.add_user("bob").await;
    fixture.add_key("bob", ANOTHER_ED25519).await;
    assert_eq!(fixture.post(paths::GRANTS, grant()).await.status, 201);
    let [concerned, other] = waiting;
    assert_eq!(concerned.await.unwrap().status, 200);
    // Whoever was woken by an earlier write was so before this one.
    assert_eq!(fixture.metric(WOKEN).await, 1);
    assert_eq!(fixture.metric("keyroster_hosts_waiting").await, 1);
    other.abort();
    fixture.until_waiting(0).await;
}

#[tokio::test]
async fn a_wait_in_vain_ends_with_unchanged() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let held = host.poll(None).await;
    let told = host.wait(held.etag(), "wait=1").await.unwrap();
    assert_eq!((told.status, told.etag()), (304, held.etag()));
    assert_eq!(told.headers["preference-applied"], "wait=1");
    assert_eq!(fixture.metric(IN_VAIN).await, 1);
    assert_eq!(fixture.metric("keyroster_hosts_waiting").await, 0);
}

#[tokio::test]
async fn a_preference_that_makes_no_sense_and_one_with_nothing_to_wait_for_are_answered_at_once() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let held = host.poll(None).await;
    for prefer in ["wait=soon", "wait=", "wait=-5", "wait=0", "respond-async"] {
        let told = host.wait(held.etag(), prefer).await.unwrap();
        assert_eq!(told.status, 304, "{prefer}");
        assert!(!told.headers.contains_key("preference-applied"), "{prefer}");
    }
    assert_eq!(host.wait("\"1.1\"", "wait=30").await.unwrap().status, 200);
    assert_eq!(fixture.metric(IN_VAIN).await, 0);
}

#[tokio::test]
async fn hosts_that_wait_take_no_places_from_others() {
    let fixture = Fixture::start_with(Limits {
        requests: 2,
        ..Limits::default()
    })
    .await;
    let hosts = [
        fixture.enrol("web-1", "web").await,
        fixture.enrol("web-2", "web").await,
    ];
    let mut waiting = Vec::new();
    for (host, number) in hosts.iter().zip(1..) {
        let held = host.poll(None).await;
        waiting.push(host.wait(held.etag(), "wait=50"));
        // One place is for asking, and one for the host to begin.
        fixture.until_waiting(number).await;
    }
    assert_eq!(fixture.get(paths::HEALTHZ).await.status, 200);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_wait_may_be_longer_than_any_request_may_take() {
    let fixture = Fixture::start_with(Limits {
        total: Duration::from_secs(1),
        ..Limits::default()
    })
    .await;
    let host = fixture.enrol("web-1", "web").await;
    let held = host.poll(None).await;
    let told = host.wait(held.etag(), "wait=2").await.unwrap();
    assert_eq!(told.status, 304);
}

#[tokio::test]
async fn a_host_that_is_removed_learns_so_while_it_waits() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let held = host.poll(None).await;
    let waiting = host.wait(held.etag(), "wait=30");
    fixture.until_waiting(1).await;
    let removed = fixture.admin(Method::DELETE, "/v1/hosts/web-1", Value::Null);
    assert_eq!(removed.await.status, 200);
    assert_eq!(waiting.await.unwrap().problem(), "host-gone");
}

#[tokio::test]
async fn a_server_that_stops_answers_those_who_wait_first() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let held = host.poll(None).await;
    let waiting = host.wait(held.etag(), "wait=50");
    fixture.until_waiting(1).await;
    assert_eq!(fixture.metric(SENT_HOME).await, 0);
    // The time for draining is shorter than the wait.
    assert_eq!(fixture.server.stop().await, Drained::Completely);
    assert_eq!(waiting.await.unwrap().status, 304);
}

#[tokio::test]
async fn a_write_on_one_server_wakes_a_host_that_waits_at_another() {
    let postgres = Postgres::start().unwrap();
    let database = postgres.fresh_database().unwrap();
    let fixture = Fixture::start_on(Some(database), Limits::default()).await;
    alice_outside(&fixture).await;
    let host = fixture.enrol("web-1", "web").await;
    let held = host.poll(None).await;
    // It never asks by itself: what it knows, it has heard.
    let never = Duration::from_secs(3600);
    let deaf = Limits {
        state_poll: never,
        state_age: never,
        ..Limits::default()
    };
    let beside = fixture.beside_with(deaf).await;
    let waiting = host.wait_at(beside.address(), held.etag(), "wait=50");
    fixture.until_waiting_at(beside.address(), 1).await;
    assert_eq!(fixture.post(paths::GRANTS, grant()).await.status, 201);
    let told = waiting.await.unwrap();
    assert_eq!(told.snapshot()["accounts"][0]["name"], "deploy");
    assert_eq!(fixture.metric_at(beside.address(), WOKEN).await, 1);
    assert_eq!(beside.stop().await, Drained::Completely);
}
