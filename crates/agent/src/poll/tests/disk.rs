//! A disk that takes no more.

use keyroster_testkit::Behaviour;

use super::*;
use crate::testing::SmallDisk;

#[tokio::test]
async fn with_the_disk_full_answers_come_from_memory_and_status_says_so() {
    let scene = Scene::new();
    let disk = SmallDisk::new("256k");
    enrolled(
        &disk.path().join("state"),
        &credential(&scene.ca, &scene.server.url()),
    );
    let mut agent = start(
        &disk.path().join("state"),
        &scene.clock,
        &scene.server.url(),
    );
    disk.fill();
    agent.poller.first().await;
    assert_eq!(agent.login().await, FRESH);
    assert!(agent.health().disk.unwrap().contains("can't write"));
    std::fs::remove_file(disk.path().join("ballast")).unwrap();
    agent.poller.finish().await;
    assert_eq!(agent.health().disk, None, "it is tried again");
    drop(agent);
    scene.server.set(Behaviour::Silent);
    scene.clock.advance(31);
    let mut restarted = start(
        &disk.path().join("state"),
        &scene.clock,
        &scene.server.url(),
    );
    assert_eq!(
        restarted.login().await,
        STALE,
        "and what was kept then is good"
    );
}

#[tokio::test]
async fn with_the_disk_read_only_answers_come_from_memory_and_status_says_so() {
    let scene = Scene::new();
    let disk = SmallDisk::new("256k");
    enrolled(
        &disk.path().join("state"),
        &credential(&scene.ca, &scene.server.url()),
    );
    let mut agent = start(
        &disk.path().join("state"),
        &scene.clock,
        &scene.server.url(),
    );
    disk.set_read_only(true);
    agent.poller.first().await;
    assert_eq!(agent.login().await, FRESH);
    assert!(agent.health().disk.is_some());
}

#[tokio::test]
async fn after_a_restart_that_follows_a_full_disk_no_older_snapshot_is_revived() {
    let scene = Scene::new();
    let disk = SmallDisk::new("256k");
    enrolled(
        &disk.path().join("state"),
        &credential(&scene.ca, &scene.server.url()),
    );
    let mut agent = start(
        &disk.path().join("state"),
        &scene.clock,
        &scene.server.url(),
    );
    agent.poller.first().await;
    disk.fill();
    let mut revoked = snapshot(1, 11);
    revoked.accounts.clear();
    scene.server.set(serving(&revoked));
    scene.clock.advance(31);
    assert_eq!(agent.login().await, ("none", Reason::NoGrant));
    drop(agent);
    scene.server.set(Behaviour::Silent);
    let mut restarted = start(
        &disk.path().join("state"),
        &scene.clock,
        &scene.server.url(),
    );
    let (word, _) = restarted.login().await;
    assert_eq!(
        word, "unavailable",
        "the snapshot on disk still lets the key in, and is not believed"
    );
}
