//! An answer that nobody vouches for is no answer, whatever it says.

use keyroster_testkit::{Behaviour, Flaw};

use super::*;
use crate::testing::{answer, tag, unchanged, voucher};

/// A host whose snapshot is stale is answered so, and goes on answering from what it holds; status says why.
async fn decides_nothing(behaviour: Behaviour, why: &str) {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    scene.server.set(behaviour);
    assert_eq!(agent.login().await, STALE);
    let said = agent.health().fetch.unwrap_or_default();
    assert!(said.contains(why), "{said}");
    assert_eq!(agent.shared.known().seen, tag(1, 10));
    assert_eq!(agent.shared.breaker(|breaker| breaker.failures()), 1);
}

#[tokio::test]
async fn not_modified_with_a_wrong_heartbeat_confirms_nothing() {
    for flaw in Flaw::ALL.into_iter().filter(|flaw| *flaw != Flaw::Replayed) {
        let flawed = Behaviour::status(304).vouched(voucher(1, 10).with(flaw));
        decides_nothing(flawed, "nobody vouches").await;
    }
}

#[tokio::test]
async fn a_snapshot_with_a_wrong_heartbeat_is_not_used() {
    for flaw in Flaw::ALL.into_iter().filter(|flaw| *flaw != Flaw::Replayed) {
        let document = sign(&snapshot(1, 11));
        let flawed = answer(&document).vouched(voucher(1, 11).with(flaw));
        decides_nothing(flawed, "nobody vouches").await;
    }
}

#[tokio::test]
async fn what_was_said_to_an_earlier_question_confirms_nothing_when_it_comes_again() {
    let scene = Scene::new();
    let replayed = Behaviour::status(304).vouched(voucher(1, 10).with(Flaw::Replayed));
    let mut agent = scene.stale().await;
    scene.server.set(replayed);
    assert_eq!(agent.login().await, FRESH, "to the question it is for");
    scene.clock.advance(31);
    assert_eq!(agent.login().await, STALE);
    let said = agent.health().fetch.unwrap();
    assert!(said.contains("another question"), "{said}");
}

#[tokio::test]
async fn each_question_has_a_nonce_of_its_own() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    assert_eq!(agent.login().await, FRESH);
    let nonce = |head: &String| {
        let head = head.to_ascii_lowercase();
        let (_, rest) = head.split_once("keyroster-nonce: ").unwrap();
        rest.lines().next().unwrap().to_owned()
    };
    let nonces: Vec<_> = scene.server.requests().iter().map(nonce).collect();
    assert_eq!(nonces.len(), 2);
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn a_heartbeat_of_a_roster_that_went_back_decides_nothing() {
    decides_nothing(unchanged(1, 9), "was seen before").await;
    let news = answer(&sign(&snapshot(1, 11))).vouched(voucher(1, 9));
    decides_nothing(news, "was seen before").await;
}

#[tokio::test]
async fn an_answer_about_something_else_than_its_heartbeat_decides_nothing() {
    decides_nothing(unchanged(1, 11), "vouches for 1.11").await;
    let news = answer(&sign(&snapshot(1, 11))).vouched(voucher(1, 12));
    decides_nothing(news, "vouches for 1.12").await;
}

#[tokio::test]
async fn a_refusal_needs_no_heartbeat() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    scene.server.set(Behaviour::status(410));
    assert_eq!(agent.login().await, OUT);
}

#[tokio::test]
async fn the_key_servers_time_is_the_heartbeats() {
    let scene = Scene::new();
    let told = voucher(1, 10).at(4_000_000_000_999);
    scene
        .server
        .set(answer(&sign(&snapshot(1, 10))).vouched(told));
    let mut agent = scene.start();
    agent.poller.first().await;
    let confirmed = agent.shared.known().confirmed.unwrap();
    assert_eq!(confirmed.server_time_s, 4_000_000_000);
}
