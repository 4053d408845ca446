//! Receipts: which hosts have confirmed a write, and until when the others may go by what was before.

use axum::http::Method;
use keyroster_api::paths;
use keyroster_api::receipt::Receipt;
use keyroster_roster::Timestamp;
use keyroster_server::clock::Clock as _;
use keyroster_server::limits::Limits;
use keyroster_testkit::Postgres;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::fixture::{ED25519, Fixture, Host, Reply};

/// What a host agent does: it waits for a change, and asks again once it holds it.
fn follow(host: &Host, held: &str) -> JoinHandle<()> {
    let first = host.wait(held, "wait=30");
    let host = host.with_client(host.client.clone());
    tokio::spawn(async move {
        let told = first.await.unwrap();
        assert!(matches!(told.status, 200 | 304), "{told:?}");
        host.poll(Some(told.etag())).await;
    })
}

fn revoke(key: &str, query: &str) -> String {
    format!("{}{query}", paths::fill(paths::KEY_REVOKE, &[key]))
}

fn receipt(reply: &Reply) -> Receipt {
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_slice(&reply.body).unwrap()
}

fn confirmed(receipt: &Receipt) -> Vec<&str> {
    let hosts = receipt.confirmed.iter();
    hosts.map(|host| host.name.as_str()).collect()
}

fn pending(receipt: &Receipt) -> Vec<(&str, Option<Timestamp>)> {
    let hosts = receipt.pending.iter();
    hosts
        .map(|host| (host.name.as_str(), host.ends_by))
        .collect()
}

#[tokio::test]
async fn a_receipt_comes_once_every_host_concerned_has_asked_again() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    fixture.enrol("db-1", "db").await;
    let held = host.poll(None).await;
    let agent = follow(&host, held.etag());
    fixture.until_waiting(1).await;
    let reply = fixture
        .post(&revoke(&key, "?wait=confirmed&timeout=120"), Value::Null)
        .await;
    let receipt = receipt(&reply);
    assert_eq!(receipt.revision, fixture.revision().await);
    assert_eq!(
        (confirmed(&receipt), pending(&receipt)),
        (vec!["web-1"], vec![])
    );
    assert_eq!(receipt.confirmed[0].host, host.enrolled.host_id);
    assert_eq!(receipt.max_ms, Some(receipt.confirmed[0].after_ms));
    agent.await.unwrap();
}

#[tokio::test]
async fn a_receipt_names_the_hosts_that_did_not_confirm_and_when_their_own_bound_ends_the_key() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let quick = fixture.enrol("web-1", "web").await;
    let silent = fixture.enrol("web-2", "web").await;
    fixture.enrol("web-3", "web").await;
    let held = quick.poll(None).await;
    let agent = follow(&quick, held.etag());
    let begun = fixture.clock.now();
    let held = silent.poll(None).await;
    assert_eq!(silent.poll(Some(held.etag())).await.status, 304);
    let heard = fixture.clock.now();
    fixture.until_waiting(1).await;
    let reply = fixture
        .post(&revoke(&key, "?wait=confirmed&timeout=1"), Value::Null)
        .await;
    let receipt = receipt(&reply);
    assert_eq!(confirmed(&receipt), ["web-1"]);
    let pending = pending(&receipt);
    assert_eq!(
        pending[1],
        ("web-3", None),
        "it never said that it holds anything"
    );
    let (name, ends_by) = pending[0];
    assert_eq!(name, "web-2");
    // The default bound: an hour of grace.
    let hour = |from: Timestamp| from.saturating_add(3600);
    let ends_by = ends_by.unwrap();
    assert!(
        hour(begun) < ends_by && ends_by <= hour(heard).saturating_add(1),
        "{ends_by}"
    );
    agent.await.unwrap();
}

#[tokio::test]
async fn a_host_for_which_a_write_changed_nothing_confirms_it_all_the_same() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let suspend = json!({ "state": "suspended" });
    let alice = paths::fill(paths::USER, &["alice"]);
    assert_eq!(
        fixture.admin(Method::PATCH, &alice, suspend).await.status,
        200
    );
    let held = host.poll(None).await;
    let agent = follow(&host, held.etag());
    fixture.until_waiting(1).await;
    let reply = fixture
        .post(&revoke(&key, "?wait=confirmed"), Value::Null)
        .await;
    assert_eq!(confirmed(&receipt(&reply)), ["web-1"]);
    agent.await.unwrap();
}

#[tokio::test]
async fn users_and_grants_have_receipts_too() {
    let fixture = Fixture::start().await;
    fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let grants = fixture.get(paths::GRANTS).await.json();
    let grant = grants["items"][0]["id"].as_str().unwrap().to_owned();
    let suspend = (
        Method::PATCH,
        paths::fill(paths::USER, &["alice"]),
        json!({ "state": "suspended" }),
    );
    let revoke = (
        Method::POST,
        paths::fill(paths::GRANT_REVOKE, &[&grant]),
        Value::Null,
    );
    for (method, path, body) in [suspend, revoke] {
        let held = host.poll(None).await;
        let agent = follow(&host, held.etag());
        fixture.until_waiting(1).await;
        let reply = fixture
            .admin(method, &format!("{path}?wait=confirmed"), body)
            .await;
        assert_eq!(confirmed(&receipt(&reply)), ["web-1"], "{path}");
        agent.await.unwrap();
    }
}

#[tokio::test]
async fn a_stricter_bound_reaches_its_hosts_and_is_confirmed_by_them() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    fixture.enrol("db-1", "db").await;
    let held = host.poll(None).await;
    let agent = follow(&host, held.etag());
    fixture.until_waiting(1).await;
    let web = paths::fill(paths::HOST_GROUP, &["web"]);
    let strict = json!({ "freshness": { "grace_s": 60, "mode": "strict" } });
    let reply = fixture
        .admin(Method::PATCH, &format!("{web}?wait=confirmed"), strict)
        .await;
    let receipt = receipt(&reply);
    assert_eq!(
        (confirmed(&receipt), pending(&receipt)),
        (vec!["web-1"], vec![])
    );
    agent.await.unwrap();
    let held = host.poll(None).await.snapshot();
    assert_eq!(
        held["freshness"],
        json!({ "max_staleness_s": 30, "grace_s": 60, "mode": "strict" })
    );
}

#[tokio::test]
async fn a_change_of_a_host_group_that_changes_nothing_or_too_much_is_refused() {
    let fixture = Fixture::start().await;
    fixture.add_host_group("web").await;
    let before = fixture.revision().await;
    let web = paths::fill(paths::HOST_GROUP, &["web"]);
    for body in [
        json!({}),
        json!({ "freshness": {} }),
        json!({ "freshness": { "max_staleness_s": 0 } }),
        json!({ "freshness": { "grace_s": 604_801 } }),
    ] {
        let reply = fixture.admin(Method::PATCH, &web, body.clone()).await;
        assert_eq!(reply.problem(), "invalid-value", "{body}");
    }
    assert_eq!(fixture.revision().await, before);
}

#[tokio::test]
async fn a_write_that_concerns_no_host_is_confirmed_at_once() {
    let fixture = Fixture::start().await;
    fixture.add_user("alice").await;
    let key = fixture.add_key("alice", ED25519).await;
    fixture.enrol("web-1", "web").await;
    let reply = fixture
        .post(&revoke(&key, "?wait=confirmed&timeout=120"), Value::Null)
        .await;
    let receipt = receipt(&reply);
    assert_eq!((confirmed(&receipt), pending(&receipt)), (vec![], vec![]));
    assert_eq!(receipt.max_ms, None);
}

#[tokio::test]
async fn whoever_takes_away_once_more_gets_the_receipt_of_the_first_time() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    fixture.enrol("web-2", "web").await;
    let first = fixture.post(&revoke(&key, ""), Value::Null).await.json();
    fixture.add_user("bob").await;
    let held = host.poll(None).await;
    assert_eq!(host.poll(Some(held.etag())).await.status, 304);
    let again = fixture
        .post(&revoke(&key, "?wait=confirmed&timeout=1"), Value::Null)
        .await;
    let receipt = receipt(&again);
    assert_eq!(Some(receipt.revision), first["revision"].as_u64());
    assert_eq!(confirmed(&receipt), ["web-1"]);
    assert_eq!(pending(&receipt), [("web-2", None)]);
}

#[tokio::test]
async fn a_wait_that_makes_no_sense_is_refused_before_anything_is_written() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let before = fixture.revision().await;
    for query in [
        "?wait=forever",
        "?timeout=5",
        "?wait=confirmed&timeout=0",
        "?wait=confirmed&timeout=121",
        "?wait=confirmed&timeout=soon",
        "?await=confirmed",
    ] {
        let reply = fixture.post(&revoke(&key, query), Value::Null).await;
        assert_eq!(reply.problem(), "invalid-value", "{query}");
    }
    let resume = format!("{}?wait=confirmed", paths::fill(paths::USER, &["alice"]));
    let reply = fixture
        .admin(Method::PATCH, &resume, json!({ "state": "active" }))
        .await;
    assert_eq!(reply.problem(), "invalid-value");
    assert_eq!(fixture.revision().await, before);
}

#[tokio::test]
async fn a_server_that_stops_gives_the_receipt_that_it_has() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    fixture.enrol("web-1", "web").await;
    let before = fixture.revision().await;
    let people = fixture.another_client();
    let url = fixture.url(&revoke(&key, "?wait=confirmed&timeout=120"));
    let token = fixture.token.clone();
    let asked = tokio::spawn(async move {
        let request = people.request(Method::POST, &url).bearer_auth(token);
        people.send(request, 1 << 20).await.unwrap()
    });
    while fixture.revision().await == before {}
    let _ = fixture.server.stop().await;
    let answer = asked.await.unwrap();
    let receipt: Receipt = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(pending(&receipt), [("web-1", None)]);
}

#[tokio::test]
async fn a_confirmation_that_another_server_heard_counts() {
    let postgres = Postgres::start().unwrap();
    let database = postgres.fresh_database().unwrap();
    let fixture = Fixture::start_on(Some(database), Limits::default()).await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    let beside = fixture.beside().await;
    let held = host.poll_at(beside.address(), None).await;
    let waiting = host.wait_at(beside.address(), held.etag(), "wait=30");
    fixture.until_waiting_at(beside.address(), 1).await;
    let path = revoke(&key, "?wait=confirmed&timeout=120");
    let asked = fixture.post(&path, Value::Null);
    let agent = async {
        let told = waiting.await.unwrap();
        host.poll_at(beside.address(), Some(told.etag())).await
    };
    let (reply, _) = tokio::join!(asked, agent);
    assert_eq!(confirmed(&receipt(&reply)), ["web-1"]);
    let _ = beside.stop().await;
}
