//! What changed, instead of everything.

use keyroster_api::snapshot::Snapshot;
use keyroster_api::update::Update;
use keyroster_testkit::Behaviour;

use super::*;
use crate::testing::{sign_update, tag, unchanged, update, voucher};

const UPDATE_TYPE: &str = keyroster_api::update::CONTENT_TYPE;

/// Revision 1.11: nobody may log in any more.
fn revoked() -> Snapshot {
    let mut revoked = snapshot(1, 11);
    revoked.accounts.clear();
    revoked
}

/// The answer with this update, vouched for.
fn telling(update: &Update) -> Behaviour {
    let answer = Behaviour::Answer {
        status: 200,
        headers: vec![format!("content-type: {UPDATE_TYPE}")],
        body: sign_update(update),
    };
    answer.vouched(voucher(update.epoch, update.revision))
}

/// A key server that has gone on to this snapshot, and tells it by an update where it may.
fn by_update(scene: &Scene, told: Update, whole: &Snapshot) {
    let (update, whole) = (telling(&told), serving(whole));
    scene
        .server
        .choose(move |head| match head.contains(UPDATE_TYPE) {
            true => update.clone(),
            false => whole.clone(),
        });
}

fn sound() -> Update {
    update(&snapshot(1, 10), &revoked())
}

fn last_head(scene: &Scene) -> String {
    scene.server.requests().pop().unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn an_update_ends_the_login_that_it_takes_away_and_is_kept_beside_the_snapshot() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    assert!(
        !last_head(&scene).contains(UPDATE_TYPE),
        "of nothing there is no update"
    );
    by_update(&scene, sound(), &snapshot(1, 10));
    assert_eq!(agent.login().await, ("none", Reason::NoGrant));
    let state = scene.disk.path().join("state");
    assert_eq!(
        std::fs::read(state.join("snapshot")).unwrap(),
        sign(&snapshot(1, 10))
    );
    let journal = std::fs::read(state.join("journal")).unwrap();
    assert!(journal.ends_with(&sign_update(&sound())));
    scene.server.set(unchanged(1, 11));
    scene.clock.advance(31);
    assert_eq!(agent.login().await, ("none", Reason::NoGrant));
    assert!(last_head(&scene).contains("if-none-match: \"1.11\""));
}

#[tokio::test]
async fn what_an_update_took_away_stays_away_through_a_restart_without_the_key_server() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    by_update(&scene, sound(), &revoked());
    assert_eq!(agent.login().await, ("none", Reason::NoGrant));
    agent.poller.finish().await;
    drop(agent);
    scene.server.set(Behaviour::HangUp);
    let mut restarted = scene.start();
    assert_eq!(restarted.login().await, ("none", Reason::NoGrant));
    assert_eq!(restarted.shared.known().seen, tag(1, 11));
}

#[tokio::test]
async fn an_update_that_makes_something_else_is_not_used_and_the_whole_is_asked_for_at_once() {
    let wrong: [fn(&mut Update); 3] = [
        |update| update.digest = "0".repeat(64),
        |update| update.from_revision = 9,
        |update| update.accounts.clear(),
    ];
    for change in wrong {
        let scene = Scene::new();
        let mut agent = scene.stale().await;
        let mut told = sound();
        change(&mut told);
        by_update(&scene, told, &revoked());
        let asked = scene.server.requests().len();
        agent.poller.attempt(Cause::Interval).await;
        assert_eq!(scene.server.requests().len(), asked + 2);
        assert_eq!(agent.login().await, ("none", Reason::NoGrant));
        let head = last_head(&scene);
        assert!(
            !head.contains(UPDATE_TYPE) && !head.contains("if-none-match"),
            "{head}"
        );
        assert!(!scene.disk.path().join("state/journal").exists());
    }
}

#[tokio::test]
async fn when_the_whole_does_not_come_either_what_is_held_stays_and_the_breaker_opens() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    let mut told = sound();
    told.digest.clear();
    let wrong = telling(&told);
    scene
        .server
        .choose(move |head| match head.contains(UPDATE_TYPE) {
            true => wrong.clone(),
            false => Behaviour::status(503),
        });
    let asked = scene.server.requests().len();
    agent.poller.attempt(Cause::Interval).await;
    assert_eq!(agent.shared.breaker(|breaker| breaker.failures()), 1);
    assert_eq!(agent.login().await, STALE);
    assert_eq!(
        scene.server.requests().len(),
        asked + 2,
        "once, and not for ever"
    );
    assert_eq!(agent.shared.known().seen, tag(1, 10));
}

#[tokio::test]
async fn an_update_that_its_heartbeat_does_not_vouch_for_is_not_used() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    let answer = Behaviour::Answer {
        status: 200,
        headers: vec![format!("content-type: {UPDATE_TYPE}")],
        body: sign_update(&sound()),
    };
    scene.server.set(answer);
    assert_eq!(agent.login().await, STALE);
    assert!(agent.health().fetch.unwrap().contains("nobody vouches"));
}

#[tokio::test]
async fn an_update_for_a_host_that_holds_nothing_decides_nothing() {
    let scene = Scene::new();
    scene.server.set(telling(&sound()));
    let mut agent = scene.start();
    assert_eq!(agent.login().await, ("unavailable", Reason::NoSnapshot));
}

#[tokio::test]
async fn an_update_that_the_disk_does_not_take_is_not_named_and_the_whole_is_asked_for() {
    let scene = Scene::new();
    let disk = SmallDisk::new("256k");
    let state = disk.path().join("state");
    enrolled(&state, &credential(&scene.ca, &scene.server.url()));
    let mut agent = start(&state, &scene.clock, &scene.server.url());
    agent.poller.first().await;
    disk.fill();
    by_update(&scene, sound(), &revoked());
    scene.clock.advance(31);
    assert_eq!(
        agent.login().await,
        ("none", Reason::NoGrant),
        "memory has it"
    );
    assert!(agent.health().disk.is_some());
    scene.clock.advance(31);
    assert_eq!(agent.login().await, ("none", Reason::NoGrant));
    assert!(!last_head(&scene).contains("if-none-match"));
    drop(agent);
    scene.server.set(Behaviour::Silent);
    let mut restarted = start(&state, &scene.clock, &scene.server.url());
    let (word, _) = restarted.login().await;
    assert_ne!(word, "found", "the snapshot on disk lets the key in");
}

#[tokio::test]
async fn with_a_full_journal_the_next_change_comes_whole_and_ends_it() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    by_update(&scene, sound(), &revoked());
    assert_eq!(agent.login().await, ("none", Reason::NoGrant));
    let journal = scene.disk.path().join("state/journal");
    let record = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, record.repeat(1024)).unwrap();
    agent.poller.finish().await;
    drop(agent);
    let mut again = scene.start();
    scene.server.set(serving(&snapshot(1, 12)));
    scene.clock.advance(31);
    assert_eq!(again.login().await, FRESH);
    let head = last_head(&scene);
    assert!(
        !head.contains(UPDATE_TYPE) && head.contains("if-none-match: \"1.11\""),
        "{head}"
    );
    assert!(!journal.exists());
    assert_eq!(again.poller.keeper.form(), crate::fetch::Form::Any);
}
