//! A key server that may hold the question.

use std::sync::Mutex;

use keyroster_testkit::Behaviour;

use super::*;

/// What such a key server does: it answers these in turn, and holds every question after the last of them.
fn scripted(scene: &Scene, answers: Vec<Behaviour>) {
    let answers = Mutex::new(answers.into_iter());
    scene.server.choose(move |_| {
        let next = answers.lock().unwrap().next();
        next.unwrap_or(Behaviour::Silent)
    });
}

/// A host agent that lets the key server hold its questions, with this interval for one that does not.
fn waiting(scene: &Scene, poll_interval_seconds: u32) -> Agent {
    let config = Config {
        poll_interval_seconds,
        wait_seconds: 25,
        ..Config::default()
    };
    let state = scene.disk.path().join("state");
    start_with(&state, &scene.clock, &scene.server.url(), config)
}

/// Runs the poller until the key server has been asked so often, and for so long beyond.
async fn run_until(scene: &Scene, agent: &mut Agent, times: usize, beyond: Duration) {
    let counted = async {
        while scene.server.requests().len() < times {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(beyond).await;
    };
    tokio::select! {
        () = agent.poller.run(&mut agent.poked) => unreachable!("the poller never ends"),
        counted = tokio::time::timeout(WAIT, counted) => counted.expect("so many questions"),
    }
}

/// The heads of so many questions and of those before.
async fn asked(scene: &Scene, agent: &mut Agent, times: usize) -> Vec<String> {
    run_until(scene, agent, times, Duration::ZERO).await;
    let lower = |head: &String| head.to_ascii_lowercase();
    scene.server.requests().iter().map(lower).collect()
}

#[tokio::test]
async fn the_first_question_is_plain_and_the_next_names_what_is_held_and_may_be_held() {
    let scene = Scene::new();
    scripted(&scene, vec![serving(&snapshot(1, 10))]);
    let mut agent = waiting(&scene, 3600);
    agent.poller.first().await;
    let heads = asked(&scene, &mut agent, 2).await;
    assert!(!heads[0].contains("prefer:"), "{}", heads[0]);
    assert!(!heads[0].contains("if-none-match:"), "{}", heads[0]);
    assert!(heads[1].contains("prefer: wait=14\r\n"), "{}", heads[1]);
    assert!(heads[1].contains("if-none-match: \"1.10\""), "{}", heads[1]);
}

#[tokio::test]
async fn news_is_on_disk_before_the_next_question_names_it() {
    let scene = Scene::new();
    let news = serving(&snapshot(1, 11));
    scripted(&scene, vec![serving(&snapshot(1, 10)), news]);
    let mut agent = waiting(&scene, 3600);
    agent.poller.first().await;
    let heads = asked(&scene, &mut agent, 3).await;
    assert!(heads[2].contains("if-none-match: \"1.11\""), "{}", heads[2]);
    let on_disk = std::fs::read(scene.disk.path().join("state/snapshot")).unwrap();
    assert_eq!(on_disk, sign(&snapshot(1, 11)));
}

#[tokio::test]
async fn a_key_server_that_holds_no_question_is_asked_at_intervals() {
    let scene = Scene::new();
    let first = serving(&snapshot(1, 10));
    let not_modified = vec![unchanged(1, 10); 50];
    scripted(&scene, [vec![first], not_modified].concat());
    let mut agent = waiting(&scene, 3600);
    agent.poller.first().await;
    run_until(&scene, &mut agent, 2, Duration::from_millis(300)).await;
    assert_eq!(scene.server.requests().len(), 2);
    assert_eq!(agent.login().await, FRESH);
}

#[tokio::test]
async fn a_login_does_not_wait_for_a_question_that_is_held() {
    let scene = Scene::new();
    scripted(&scene, vec![serving(&snapshot(1, 10))]);
    let mut agent = waiting(&scene, 3600);
    agent.poller.first().await;
    asked(&scene, &mut agent, 2).await;
    scene.clock.advance(31);
    scene.server.choose(|head| match head.contains("prefer:") {
        true => Behaviour::Silent,
        false => unchanged(1, 10),
    });
    assert_eq!(agent.login().await, FRESH);
}

#[tokio::test]
async fn what_is_not_on_disk_is_not_named() {
    let scene = Scene::new();
    let disk = SmallDisk::new("256k");
    let state = disk.path().join("state");
    enrolled(&state, &credential(&scene.ca, &scene.server.url()));
    let config = Config {
        poll_interval_seconds: 1,
        ..Config::default()
    };
    let mut agent = start_with(&state, &scene.clock, &scene.server.url(), config);
    disk.fill();
    agent.poller.first().await;
    let heads = asked(&scene, &mut agent, 2).await;
    assert!(!heads[1].contains("if-none-match:"), "{}", heads[1]);
    assert!(!heads[1].contains("prefer:"), "{}", heads[1]);
}

/// A generous bound for what takes milliseconds.
const WAIT: Duration = Duration::from_secs(20);
