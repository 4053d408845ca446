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

fn each_login(receipt: &Receipt) -> Vec<&str> {
    let hosts = receipt.each_login.iter();
    hosts.map(|host| host.name.as_str()).collect()
}

#[tokio::test]
async fn nobody_waits_for_a_host_without_the_daemon_and_it_has_not_confirmed() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let lone = fixture.enrol("web-1", "web").await;
    let begun = fixture.clock.now();
    lone.login(None, "each-login").await;
    let reply = fixture
        .post(&revoke(&key, "?wait=confirmed&timeout=120"), Value::Null)
        .await;
    let receipt = receipt(&reply);
    assert_eq!(
        (confirmed(&receipt), pending(&receipt)),
        (vec![], vec![]),
        "{receipt:?}"
    );
    assert_eq!(each_login(&receipt), ["web-1"]);
    let ends_by = receipt.each_login[0].ends_by.unwrap();
    assert!(begun.saturating_add(3600) < ends_by, "an hour of grace");
}

#[tokio::test]
async fn a_host_without_the_daemon_confirms_by_what_it_names_at_a_login() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let lone = fixture.enrol("web-1", "web").await;
    lone.login(None, "each-login").await;
    let written = fixture.post(&revoke(&key, ""), Value::Null).await.json();
    let path = paths::fill(paths::RECEIPT, &[&written["revision"].to_string()]);
    let held = lone.login(None, "each-login").await;
    assert_eq!(each_login(&receipt(&fixture.get(&path).await)), ["web-1"]);
    assert_eq!(
        lone.login(Some(held.etag()), "each-login").await.status,
        304
    );
    let receipt = receipt(&fixture.get(&path).await);
    assert_eq!(confirmed(&receipt), ["web-1"]);
    assert_eq!(each_login(&receipt), [""; 0]);
}

#[tokio::test]
async fn a_login_beside_a_daemon_confirms_nothing_in_its_place() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    host.poll(None).await;
    let written = fixture.post(&revoke(&key, ""), Value::Null).await.json();
    let path = paths::fill(paths::RECEIPT, &[&written["revision"].to_string()]);
    let newer = host.login(None, "beside-daemon").await;
    for asks in ["beside-daemon", "some-new-way"] {
        assert_eq!(host.login(Some(newer.etag()), asks).await.status, 304);
        let receipt = receipt(&fixture.get(&path).await);
        assert_eq!(confirmed(&receipt), [""; 0], "{asks}");
        assert_eq!(pending(&receipt)[0].0, "web-1", "the daemon is waited for");
    }
    assert_eq!(host.poll(Some(newer.etag())).await.status, 304);
    assert_eq!(confirmed(&receipt(&fixture.get(&path).await)), ["web-1"]);
}

#[tokio::test]
async fn a_host_is_shown_with_how_it_asks_and_when_it_was_answered() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let shown = async || fixture.get("/v1/hosts/web-1").await.json();
    assert_eq!(shown().await["asks"], Value::Null);
    host.login(None, "each-login").await;
    while shown().await["asks"] != json!("each-login") {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(shown().await["answered_at"].is_string());
    fixture.clock.advance(1);
    host.poll(None).await;
    while fixture.get(paths::HOSTS).await.json()["items"][0]["asks"] != json!("daemon") {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn who_confirmed_a_write_and_when_can_be_read_later_at_every_server_by_an_auditor() {
    let postgres = Postgres::start().unwrap();
    let database = postgres.fresh_database().unwrap();
    let fixture = Fixture::start_on(Some(database), Limits::default()).await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    fixture.enrol("web-2", "web").await;
    let beside = fixture.beside().await;
    let written = fixture.post(&revoke(&key, ""), Value::Null).await.json();
    let path = paths::fill(paths::RECEIPT, &[&written["revision"].to_string()]);
    let held = host.poll_at(beside.address(), None).await;
    let begun = fixture.clock.now();
    host.poll_at(beside.address(), Some(held.etag())).await;
    let _ = beside.stop().await;
    // Long after, and after the host has said newer things.
    fixture.clock.advance(3600);
    fixture.add_user("bob").await;
    host.poll(Some(held.etag())).await;
    let auditor = fixture.token("auditor", "auditor").await;
    let reply = fixture
        .call(Method::GET, &path, Some(&auditor), Value::Null)
        .await;
    let receipt = receipt(&reply);
    assert_eq!(confirmed(&receipt), ["web-1"]);
    let at = receipt.confirmed[0].confirmed_at.unwrap();
    assert!(begun <= at && at <= begun.saturating_add(60), "{at}");
    assert_eq!(pending(&receipt), [("web-2", None)]);
}

#[tokio::test]
async fn how_quick_a_host_was_counts_from_the_write_however_often_it_is_asked_for() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    host.poll(None).await;
    // Ends after a second, which the host took in any case.
    let waited = revoke(&key, "?wait=confirmed&timeout=1");
    let first = receipt(&fixture.post(&waited, Value::Null).await);
    assert_eq!(confirmed(&first), [""; 0]);
    let held = host.poll(None).await;
    host.poll(Some(held.etag())).await;
    let path = paths::fill(paths::RECEIPT, &[&first.revision.to_string()]);
    let path = format!("{path}?wait=confirmed&timeout=120");
    for later_s in [0, 3600] {
        fixture.clock.advance(later_s);
        let receipt = receipt(&fixture.get(&path).await);
        let after_ms = receipt.confirmed[0].after_ms;
        assert!((1000..3_600_000).contains(&after_ms), "{after_ms}");
    }
}

#[tokio::test]
async fn where_nobody_waited_the_clocks_tell_how_quick_a_host_was() {
    let fixture = Fixture::start().await;
    let key = fixture.let_alice_in(ED25519).await;
    let host = fixture.enrol("web-1", "web").await;
    host.poll(None).await;
    let written = fixture.post(&revoke(&key, ""), Value::Null).await.json();
    fixture.clock.advance(600);
    let held = host.poll(None).await;
    host.poll(Some(held.etag())).await;
    let path = paths::fill(paths::RECEIPT, &[&written["revision"].to_string()]);
    fixture.clock.advance(3600);
    let after_ms = receipt(&fixture.get(&path).await).confirmed[0].after_ms;
    assert!((600_000..3_600_000).contains(&after_ms), "{after_ms}");
    assert_eq!(after_ms % 1000, 0);
}

#[tokio::test]
async fn a_receipt_of_no_write_is_empty_and_one_of_the_future_is_not_there() {
    let fixture = Fixture::start().await;
    let revision = fixture.revision().await;
    let path = |revision: &str| paths::fill(paths::RECEIPT, &[revision]);
    let there = fixture.get(&path(&revision.to_string())).await;
    assert_eq!(receipt(&there).pending, []);
    let future = fixture.get(&path(&(revision + 1).to_string())).await;
    assert_eq!(future.problem(), "not-found");
    // Longer than any host can go by what it held.
    fixture.clock.advance(8 * 86_400);
    let forgotten = fixture.get(&path(&revision.to_string())).await;
    assert_eq!(forgotten.problem(), "not-found");
    for text in ["x", "-1", "9223372036854775808"] {
        let reply = fixture.get(&path(text)).await;
        assert_eq!(reply.problem(), "invalid-value", "{text}");
    }
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
