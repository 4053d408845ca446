//! The list of revoked keys: who gets it, in which form, and what wakes whoever waits for it.

use std::time::Duration;

use axum::http::Method;
use keyroster_api::paths;
use keyroster_api::revoked_keys::{CONTENT_TYPE, ListError, Received, RevokedKeys};
use keyroster_api::signature::SnapshotPublicKey;
use keyroster_edge::Drained;
use keyroster_keys::Fingerprint;
use keyroster_server::limits::Limits;
use keyroster_testkit::Postgres;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::fixture::{ANOTHER_ED25519, ED25519, Fixture, Host, Reply};

const WOKEN: &str = "keyroster_revoked_keys_waits_total{end=\"change\"}";
const SIGNED: &str = "keyroster_revoked_keys_signed_total";
const LISTENING: &str = "keyroster_revoked_keys_waiting";

/// Alice with two keys, which have nothing to do with any host.
async fn two_keys(fixture: &Fixture) -> [String; 2] {
    fixture.add_user("alice").await;
    [
        fixture.add_key("alice", ED25519).await,
        fixture.add_key("alice", ANOTHER_ED25519).await,
    ]
}

async fn revoke(fixture: &Fixture, fingerprint: &str) {
    let path = paths::fill(paths::KEY_REVOKE, &[fingerprint]);
    assert_eq!(fixture.post(&path, Value::Null).await.status, 200);
}

async fn set_state(fixture: &Fixture, user: &str, state: &str) {
    let path = paths::fill(paths::USER, &[user]);
    let set = fixture.admin(Method::PATCH, &path, json!({ "state": state }));
    assert_eq!(set.await.status, 200);
}

async fn until_listening(fixture: &Fixture, hosts: u64) {
    while fixture.metric(LISTENING).await != hosts {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Asks for the list, or for what is new since the one that is held.
async fn ask(host: &Host, held: Option<&RevokedKeys>) -> Reply {
    host.revoked_keys(held.map(RevokedKeys::tag), None)
        .await
        .unwrap()
}

fn wait(host: &Host, held: &RevokedKeys) -> JoinHandle<Reply> {
    host.revoked_keys(Some(held.tag()), Some("wait=50"))
}

/// Whether these are additions, and nothing of use to whoever has no list.
fn are_additions(host: &Host, reply: &Reply) -> bool {
    let key = SnapshotPublicKey::from_openssh(&host.enrolled.snapshot_key).unwrap();
    let received = Received::verify(&reply.body, &key).unwrap();
    received.complete(None) == Err(ListError::OtherBase)
}

/// The list in an answer, judged as a host does.
fn list(host: &Host, reply: &Reply, held: Option<&RevokedKeys>) -> RevokedKeys {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.headers["content-type"], CONTENT_TYPE);
    let key = SnapshotPublicKey::from_openssh(&host.enrolled.snapshot_key).unwrap();
    let received = Received::verify(&reply.body, &key).unwrap();
    let list = received.complete(held).unwrap();
    assert_eq!(reply.tag(), list.tag());
    list
}

fn has(list: &RevokedKeys, fingerprint: &str) -> bool {
    list.keys()
        .contains(&Fingerprint::parse(fingerprint).unwrap())
}

#[tokio::test]
async fn a_host_gets_every_revoked_key_of_the_roster_and_no_other() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let [first, second] = two_keys(&fixture).await;
    assert!(list(&host, &ask(&host, None).await, None).keys().is_empty());
    revoke(&fixture, &first).await;
    let got = list(&host, &ask(&host, None).await, None);
    assert!(has(&got, &first) && !has(&got, &second));
    assert_eq!(got.keys().len(), 1);
}

#[tokio::test]
async fn whoever_is_suspended_takes_their_keys_onto_the_list_and_off_it_again() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let [first, second] = two_keys(&fixture).await;
    revoke(&fixture, &first).await;
    set_state(&fixture, "alice", "suspended").await;
    let held = list(&host, &ask(&host, None).await, None);
    assert!(has(&held, &first) && has(&held, &second));
    set_state(&fixture, "alice", "active").await;
    let reply = ask(&host, Some(&held)).await;
    assert!(
        !are_additions(&host, &reply),
        "what was taken off is no addition"
    );
    let now = list(&host, &reply, Some(&held));
    assert!(has(&now, &first) && !has(&now, &second));
    assert_eq!(now.delisted(), now.tag().revision);
}

#[tokio::test]
async fn a_host_that_has_a_list_is_told_the_additions_alone() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let [first, second] = two_keys(&fixture).await;
    let empty = list(&host, &ask(&host, None).await, None);
    revoke(&fixture, &first).await;
    let one = list(&host, &ask(&host, Some(&empty)).await, Some(&empty));
    revoke(&fixture, &second).await;
    for held in [&one, &empty] {
        for _ in 0..2 {
            let reply = ask(&host, Some(held)).await;
            assert!(are_additions(&host, &reply));
            assert_eq!(list(&host, &reply, Some(held)).keys().len(), 2);
        }
    }
    let unchanged = ask(&host, Some(&list(&host, &ask(&host, None).await, None))).await;
    assert_eq!(unchanged.status, 304);
    assert_eq!(fixture.metric(SIGNED).await, 3, "each list is signed once");
}

#[tokio::test]
async fn a_list_that_nobody_has_had_is_answered_with_the_whole() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let [first, _] = two_keys(&fixture).await;
    revoke(&fixture, &first).await;
    for since in ["0.0", "1.999999", "2.1"] {
        let since = keyroster_api::revoked_keys::parse_tag(since);
        let reply = host.revoked_keys(since, None).await.unwrap();
        assert_eq!(list(&host, &reply, None).keys().len(), 1);
    }
    for query in ["since=x", "since=%221.2%22", "since=", "sinse=1.2"] {
        let reply = host
            .get(&format!("{}?{query}", paths::HOST_REVOKED_KEYS))
            .await;
        assert_eq!(reply.problem(), "invalid-value", "{query}");
    }
}

#[tokio::test]
async fn only_a_change_of_the_list_wakes_whoever_waits_for_one() {
    let fixture = Fixture::start().await;
    let hosts = [
        fixture.enrol("web-1", "web").await,
        fixture.enrol("db-1", "db").await,
    ];
    let [first, second] = two_keys(&fixture).await;
    revoke(&fixture, &second).await;
    let held = list(&hosts[0], &ask(&hosts[0], None).await, None);
    let waiting = hosts.each_ref().map(|host| wait(host, &held));
    until_listening(&fixture, 2).await;
    // Of no concern to the list, though some are to a host.
    fixture.add_user("bob").await;
    let grant = json!({ "user": "alice", "account": "deploy", "host_group": "web" });
    assert_eq!(fixture.post(paths::GRANTS, grant).await.status, 201);
    set_state(&fixture, "bob", "suspended").await;
    revoke(&fixture, &second).await;
    assert_eq!(fixture.metric(WOKEN).await, 0);
    revoke(&fixture, &first).await;
    for (host, told) in hosts.iter().zip(waiting) {
        let told = told.await.unwrap();
        assert_eq!(told.headers["preference-applied"], "wait=50");
        assert!(has(&list(host, &told, Some(&held)), &first));
    }
    assert_eq!(fixture.metric(WOKEN).await, 2);
}

#[tokio::test]
async fn nobody_gets_the_list_without_a_certificate_of_a_host_in_the_roster() {
    let fixture = Fixture::start().await;
    let stranger = fixture.get(paths::HOST_REVOKED_KEYS).await;
    assert_eq!(stranger.problem(), "unauthenticated");
    let host = fixture.enrol("web-1", "web").await;
    let held = list(&host, &ask(&host, None).await, None);
    let removed = fixture.admin(Method::DELETE, "/v1/hosts/web-1", Value::Null);
    assert_eq!(removed.await.status, 200);
    for held in [None, Some(&held)] {
        assert_eq!(ask(&host, held).await.problem(), "host-gone");
    }
}

#[tokio::test]
async fn a_new_certificate_may_be_used_for_the_list_first() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let (renewed, key) = host.renew().await;
    let certificate = renewed.json()["certificate"].as_str().unwrap().to_owned();
    let renewed = host.with_client(fixture.host_client(&certificate, &key));
    assert_eq!(ask(&renewed, None).await.status, 200);
    assert_eq!(ask(&host, None).await.status, 200, "the old one overlaps");
    fixture.clock.advance(61);
    assert_eq!(ask(&host, None).await.problem(), "host-gone");
}

#[tokio::test]
async fn a_server_that_stops_answers_those_who_wait_for_the_list() {
    let fixture = Fixture::start().await;
    let host = fixture.enrol("web-1", "web").await;
    let held = list(&host, &ask(&host, None).await, None);
    let waiting = wait(&host, &held);
    until_listening(&fixture, 1).await;
    assert_eq!(fixture.server.stop().await, Drained::Completely);
    assert_eq!(waiting.await.unwrap().status, 304);
}

#[tokio::test]
async fn a_revocation_on_one_server_wakes_whoever_waits_at_another_and_costs_it_the_additions() {
    let postgres = Postgres::start().unwrap();
    let database = postgres.fresh_database().unwrap();
    let fixture = Fixture::start_on(Some(database), Limits::default()).await;
    let host = fixture.enrol("web-1", "web").await;
    let [first, _] = two_keys(&fixture).await;
    let held = list(&host, &ask(&host, None).await, None);
    // It never asks by itself: what it knows, it has heard.
    let never = Duration::from_secs(3600);
    let deaf = Limits {
        state_poll: never,
        state_age: never,
        ..Limits::default()
    };
    let beside = fixture.beside_with(deaf).await;
    let other = host.at(beside.address());
    let waiting = wait(&other, &held);
    while fixture.metric_at(beside.address(), LISTENING).await != 1 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    revoke(&fixture, &first).await;
    let told = waiting.await.unwrap();
    assert!(are_additions(&host, &told));
    assert!(has(&list(&host, &told, Some(&held)), &first));
    assert_eq!(fixture.metric_at(beside.address(), WOKEN).await, 1);
    assert_eq!(beside.stop().await, Drained::Completely);
}
