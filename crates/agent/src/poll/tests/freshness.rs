//! When the key server is asked, by how many, and what follows from its answer.

use keyroster_api::freshness::ModeText;
use keyroster_testkit::Behaviour;

use super::*;

#[tokio::test]
async fn in_strict_mode_a_failure_ends_logins_with_freshness() {
    let scene = Scene::new();
    let mut strict = snapshot(1, 10);
    strict.freshness.mode = ModeText::Strict;
    scene.server.set(serving(&strict));
    let mut agent = scene.stale().await;
    scene.server.set(Behaviour::status(503));
    assert_eq!(agent.login().await, ("unavailable", Reason::StrictStale));
}

#[tokio::test]
async fn past_grace_a_failure_ends_logins() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    scene.clock.advance(3600);
    scene.server.set(Behaviour::status(503));
    assert_eq!(agent.login().await, ("unavailable", Reason::PastGrace));
}

#[tokio::test]
async fn a_fresh_answer_asks_nobody() {
    let scene = Scene::new();
    let mut agent = scene.start();
    agent.poller.first().await;
    scene.server.set(Behaviour::Silent);
    let asked = scene.server.requests().len();
    assert_eq!(agent.login().await, FRESH);
    assert_eq!(scene.server.requests().len(), asked);
}

#[tokio::test]
async fn a_host_that_holds_a_snapshot_names_it_and_takes_not_modified_for_a_confirmation() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    scene.server.set(unchanged(1, 10));
    assert_eq!(agent.login().await, FRESH);
    let request = scene.server.requests().pop().unwrap();
    assert!(
        request
            .to_ascii_lowercase()
            .contains("if-none-match: \"1.10\""),
        "{request}"
    );
}

#[tokio::test]
async fn a_revocation_that_comes_with_a_revalidation_ends_that_very_login() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    let mut revoked = snapshot(1, 11);
    revoked.accounts.clear();
    scene.server.set(serving(&revoked));
    assert_eq!(agent.login().await, ("none", Reason::NoGrant));
}

#[tokio::test]
async fn many_logins_at_once_cost_the_key_server_one_request() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    scene.server.set(unchanged(1, 10));
    let asked = scene.server.requests().len();
    let question = Question {
        uid: 1000,
        account: "deploy",
        key_type: KEY_TYPE,
        key_base64: BLOB,
        fingerprint: "SHA256:x",
    };
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let shared = Arc::clone(&agent.shared);
        logins.spawn(async move { told(&shared.answer(&question).await.unwrap()) });
    }
    let all = tokio::select! {
        () = agent.poller.run(&mut agent.poked) => unreachable!("the poller never ends"),
        all = logins.join_all() => all,
    };
    assert!(all.iter().all(|told| *told == FRESH));
    assert_eq!(scene.server.requests().len(), asked + 1);
}

#[tokio::test]
async fn a_poller_that_is_stuck_costs_one_login_its_patience_and_no_other() {
    let scene = Scene::new();
    let agent = scene.stale().await;
    let question = Question {
        uid: 1000,
        account: "deploy",
        key_type: KEY_TYPE,
        key_base64: BLOB,
        fingerprint: "SHA256:x",
    };
    // Nobody runs the poller, so no attempt ever ends.
    let first = tokio::time::timeout(LOOKUP_DEADLINE, agent.shared.answer(&question)).await;
    assert_eq!(told(&first.unwrap().unwrap()), STALE);
    assert_eq!(agent.shared.breaker(|breaker| breaker.failures()), 1);
    let next =
        tokio::time::timeout(Duration::from_millis(500), agent.shared.answer(&question)).await;
    assert_eq!(
        told(&next.expect("the next login does not wait").unwrap()),
        STALE
    );
}
