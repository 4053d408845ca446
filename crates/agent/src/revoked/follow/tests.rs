use std::fs;
use std::path::PathBuf;

use keyroster_api::revoked_keys::CONTENT_TYPE;
use keyroster_testkit::{Behaviour, CertificateKind, FakeKeyServer, TestCa};
use tempfile::TempDir;

use super::*;
use crate::core::knowledge::Knowledge;
use crate::revoked::krl_file::Found;
use crate::state::files::REVOKED_KEYS;
use crate::testing::{
    TestClock, credential, enrolled, fingerprints, revoked_keys, snapshot_key, tag,
};

/// A host, and the key server that it was enrolled with.
struct Scene {
    ca: TestCa,
    server: FakeKeyServer,
    clock: TestClock,
    disk: TempDir,
}

fn document(bytes: Vec<u8>) -> Behaviour {
    Behaviour::Answer {
        status: 200,
        headers: vec![format!("content-type: {CONTENT_TYPE}")],
        body: bytes,
    }
}

fn whole(list: &RevokedKeys) -> Behaviour {
    document(list.to_document())
}

impl Scene {
    fn new() -> Self {
        let ca = TestCa::new().unwrap();
        let silent = Behaviour::status(503);
        let server = FakeKeyServer::start(&ca, CertificateKind::Good, silent).unwrap();
        let disk = tempfile::tempdir().unwrap();
        enrolled(&disk.path().join("state"), &credential(&ca, &server.url()));
        Self {
            ca,
            server,
            clock: TestClock::new(),
            disk,
        }
    }

    fn krl(&self) -> KrlFile {
        KrlFile::at(&self.disk.path().join("revoked.krl")).unwrap()
    }

    fn document(&self) -> PathBuf {
        self.disk.path().join("state").join(REVOKED_KEYS)
    }

    /// A follower with whatever is on the disk.
    fn start(&self) -> Follower {
        self.start_with(Some(self.krl()))
    }

    fn start_with(&self, krl: Option<KrlFile>) -> Follower {
        let (shared, _) = Shared::new(Box::new(self.clock.clone()), Knowledge::nothing(tag(1, 1)));
        let fetcher = Fetcher::new(&credential(&self.ca, &self.server.url()), None).unwrap();
        Follower::new(Parts {
            shared: Arc::new(shared),
            fetchers: watch::Sender::new(Arc::new(fetcher)).subscribe(),
            dir: StateDir::open(&self.disk.path().join("state")).unwrap(),
            key: snapshot_key().public(),
            krl,
            wait: Duration::from_secs(25),
            interval: Duration::from_secs(5),
        })
    }

    /// A follower that has had this list.
    async fn holding(&self, list: &RevokedKeys) -> Follower {
        let mut follower = self.start();
        self.server.set(whole(list));
        assert_eq!(follower.round().await, Duration::ZERO);
        assert_eq!(held(&follower), Some(list.tag()));
        follower
    }

    fn last_request(&self) -> String {
        self.server.requests().pop().unwrap().to_lowercase()
    }
}

fn held(follower: &Follower) -> Option<Tag> {
    follower.list.borrow().as_ref().map(|list| list.tag())
}

fn health(follower: &Follower) -> ListHealth {
    follower.shared.list_health(|health| health.clone())
}

/// Expects that sshd reads this list.
#[track_caller]
fn reads(scene: &Scene, at: Tag, numbers: &[u8]) {
    let found = scene.krl().read().unwrap();
    assert_eq!(found, Found::List(at, fingerprints(numbers)));
}

#[tokio::test]
async fn a_host_that_knows_nothing_yet_gives_sshd_an_empty_list_and_asks_for_the_whole() {
    let scene = Scene::new();
    let mut follower = scene.start();
    reads(&scene, tag(0, 0), &[]);
    assert!(follower.round().await > Duration::ZERO);
    assert_eq!(held(&follower), None);
    reads(&scene, tag(0, 0), &[]);
    assert!(health(&follower).error().unwrap().contains("503"));
    scene
        .server
        .set(whole(&revoked_keys(tag(1, 7), 0, &[1, 2])));
    assert_eq!(follower.round().await, Duration::ZERO);
    assert!(
        scene
            .last_request()
            .starts_with("get /v1/host/revoked-keys http/1.1")
    );
    assert!(!scene.last_request().contains("prefer:"));
    reads(&scene, tag(1, 7), &[1, 2]);
    assert_eq!(health(&follower).error(), None);
}

#[tokio::test]
async fn additions_are_asked_for_and_put_together_with_what_is_held() {
    let scene = Scene::new();
    let mut follower = scene.holding(&revoked_keys(tag(1, 7), 0, &[1])).await;
    let mut news = follower.subscribe();
    let next = revoked_keys(tag(1, 9), 0, &[1, 2]);
    let added = next.additions(tag(1, 7), &fingerprints(&[2]));
    scene.server.set(document(added));
    assert_eq!(follower.round().await, Duration::ZERO);
    let asked = scene.last_request();
    assert!(
        asked.starts_with("get /v1/host/revoked-keys?since=1.7 "),
        "{asked}"
    );
    assert!(asked.contains("if-none-match: \"1.7\"") && asked.contains("prefer: wait=25"));
    assert_eq!(news.borrow_and_update().as_deref(), Some(&next));
    reads(&scene, tag(1, 9), &[1, 2]);
}

#[tokio::test]
async fn additions_that_fit_nothing_are_followed_by_a_question_for_the_whole() {
    let scene = Scene::new();
    let mut follower = scene.holding(&revoked_keys(tag(1, 7), 0, &[1])).await;
    let next = revoked_keys(tag(1, 9), 0, &[1, 2]);
    let misfit = next.additions(tag(1, 8), &fingerprints(&[2]));
    scene.server.choose(move |head| {
        document(if head.contains("since=") {
            misfit.clone()
        } else {
            next.to_document()
        })
    });
    assert_eq!(follower.round().await, Duration::ZERO);
    assert_eq!(held(&follower), Some(tag(1, 7)));
    assert_eq!(follower.round().await, Duration::ZERO);
    reads(&scene, tag(1, 9), &[1, 2]);
    // It asks for the whole once, and not for ever.
    let _ = follower.round().await;
    assert!(scene.last_request().contains("since=1.9"));
}

#[tokio::test]
async fn unchanged_is_a_confirmation() {
    let scene = Scene::new();
    let mut follower = scene.holding(&revoked_keys(tag(1, 7), 0, &[1])).await;
    scene.clock.advance(100);
    scene.server.set(Behaviour::status(304));
    // It came sooner than asked, so that the key server does not hold questions.
    assert!(follower.round().await > Duration::ZERO);
    scene.clock.advance(3);
    let age = health(&follower).age_ms(&follower.shared.now());
    assert_eq!(age, Some(3_000));
}

#[tokio::test]
async fn a_restart_goes_on_with_the_list_of_last_time() {
    let scene = Scene::new();
    drop(scene.holding(&revoked_keys(tag(1, 7), 0, &[1])).await);
    scene.server.set(Behaviour::status(503));
    let stamp = scene.krl().stamp();
    let mut follower = scene.start();
    assert_eq!(held(&follower), Some(tag(1, 7)));
    assert_eq!(health(&follower).count, 1);
    assert_eq!(health(&follower).age_ms(&follower.shared.now()), None);
    let _ = follower.round().await;
    assert_eq!(
        scene.krl().stamp(),
        stamp,
        "what is right is not written again"
    );
}

#[tokio::test]
async fn an_older_list_an_altered_one_and_one_that_lost_keys_change_nothing() {
    let scene = Scene::new();
    let mut follower = scene.holding(&revoked_keys(tag(1, 7), 0, &[1, 2])).await;
    let mut altered = revoked_keys(tag(1, 9), 0, &[1, 2, 3]).to_document();
    *altered.last_mut().unwrap() ^= 1;
    for bad in [
        revoked_keys(tag(1, 6), 6, &[]).to_document(),
        revoked_keys(tag(0, 99), 99, &[1, 2, 3]).to_document(),
        revoked_keys(tag(1, 9), 7, &[]).to_document(),
        altered,
        Vec::new(),
    ] {
        scene.server.set(document(bad));
        // Whatever cannot be put together is asked for once more as a whole.
        while follower.round().await.is_zero() {}
        assert_eq!(held(&follower), Some(tag(1, 7)));
        assert!(health(&follower).error().is_some());
        reads(&scene, tag(1, 7), &[1, 2]);
    }
}

#[tokio::test]
async fn answers_that_are_no_list_change_nothing() {
    let scene = Scene::new();
    let mut follower = scene.holding(&revoked_keys(tag(1, 7), 0, &[1])).await;
    for bad in [
        Behaviour::status(200),
        Behaviour::status(204),
        Behaviour::status(401),
        Behaviour::status(404),
        Behaviour::status(410),
        Behaviour::status(500),
        Behaviour::Html,
        Behaviour::HangUp,
        Behaviour::Garbage,
        Behaviour::TenGibibytes,
        Behaviour::Redirect("https://127.0.0.1:1/".to_owned()),
    ] {
        scene.server.set(bad.clone());
        assert!(follower.round().await > Duration::ZERO, "{bad:?}");
        assert!(health(&follower).error().is_some(), "{bad:?}");
        assert_eq!(held(&follower), Some(tag(1, 7)), "{bad:?}");
    }
    reads(&scene, tag(1, 7), &[1]);
}

#[tokio::test]
async fn a_key_that_was_taken_off_the_list_leaves_the_file_and_an_empty_list_is_one() {
    let scene = Scene::new();
    let mut follower = scene.holding(&revoked_keys(tag(1, 7), 0, &[1, 2])).await;
    scene.server.set(whole(&revoked_keys(tag(1, 9), 9, &[])));
    assert_eq!(follower.round().await, Duration::ZERO);
    reads(&scene, tag(1, 9), &[]);
}

#[tokio::test]
async fn a_file_that_was_taken_away_or_changed_comes_back_with_the_next_answer() {
    let scene = Scene::new();
    let mut follower = scene.holding(&revoked_keys(tag(1, 7), 0, &[1])).await;
    scene.server.set(Behaviour::status(304));
    fs::remove_file(scene.krl().path()).unwrap();
    let _ = follower.round().await;
    reads(&scene, tag(1, 7), &[1]);
    fs::write(scene.krl().path(), "").unwrap();
    scene.server.set(Behaviour::status(503));
    let _ = follower.round().await;
    reads(&scene, tag(1, 7), &[1]);
}

#[tokio::test]
async fn what_sshd_reads_counts_as_seen_when_the_document_is_lost() {
    let scene = Scene::new();
    drop(scene.holding(&revoked_keys(tag(1, 7), 0, &[1, 2])).await);
    fs::remove_file(scene.document()).unwrap();
    for bad in [
        revoked_keys(tag(1, 6), 0, &[1, 2, 3]),
        revoked_keys(tag(1, 8), 0, &[]),
    ] {
        let mut follower = scene.start();
        scene.server.set(whole(&bad));
        let _ = follower.round().await;
        assert_eq!(held(&follower), None);
        reads(&scene, tag(1, 7), &[1, 2]);
    }
    let mut follower = scene.start();
    scene
        .server
        .set(whole(&revoked_keys(tag(1, 7), 0, &[1, 2])));
    let _ = follower.round().await;
    assert_eq!(held(&follower), Some(tag(1, 7)));
}

#[tokio::test]
async fn a_file_that_is_newer_than_the_document_is_not_taken_back() {
    let scene = Scene::new();
    drop(scene.holding(&revoked_keys(tag(1, 7), 0, &[1])).await);
    // As a crash between the two leaves them.
    scene
        .krl()
        .put(&revoked_keys(tag(1, 8), 0, &[1, 2]))
        .unwrap();
    scene.server.set(Behaviour::status(503));
    let mut follower = scene.start();
    let _ = follower.round().await;
    reads(&scene, tag(1, 8), &[1, 2]);
    scene
        .server
        .set(whole(&revoked_keys(tag(1, 8), 0, &[1, 2])));
    let _ = follower.round().await;
    assert_eq!(held(&follower), Some(tag(1, 8)));
}

#[tokio::test]
async fn a_damaged_file_stays_until_there_is_a_list_to_mend_it_with() {
    let scene = Scene::new();
    let list = revoked_keys(tag(1, 7), 0, &[1, 2]);
    drop(scene.holding(&list).await);
    let bytes = fs::read(scene.krl().path()).unwrap();
    fs::write(scene.krl().path(), &bytes[..bytes.len() - 1]).unwrap();
    drop(scene.start());
    reads(&scene, tag(1, 7), &[1, 2]);
    fs::write(scene.krl().path(), &bytes[..bytes.len() - 1]).unwrap();
    fs::remove_file(scene.document()).unwrap();
    let mut follower = scene.start();
    assert_eq!(scene.krl().read().unwrap(), Found::Damaged);
    assert!(health(&follower).error().unwrap().contains("is damaged"));
    scene.server.set(whole(&list));
    let _ = follower.round().await;
    reads(&scene, tag(1, 7), &[1, 2]);
}

#[tokio::test]
async fn a_document_that_was_altered_on_the_disk_is_not_used() {
    let scene = Scene::new();
    drop(scene.holding(&revoked_keys(tag(1, 7), 0, &[1, 2])).await);
    let mut bytes = fs::read(scene.document()).unwrap();
    bytes.truncate(bytes.len() - 32);
    fs::write(scene.document(), bytes).unwrap();
    let follower = scene.start();
    assert_eq!(held(&follower), None);
    reads(&scene, tag(1, 7), &[1, 2]);
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_told_and_the_list_is_followed_all_the_same() {
    let scene = Scene::new();
    fs::write(scene.krl().path(), "not ours").unwrap();
    let mut follower = scene.start();
    scene.server.set(whole(&revoked_keys(tag(1, 7), 0, &[1])));
    assert_eq!(follower.round().await, Duration::ZERO);
    assert_eq!(held(&follower), Some(tag(1, 7)));
    assert!(
        health(&follower)
            .error()
            .unwrap()
            .contains("not written by keyroster")
    );
    fs::remove_file(scene.krl().path()).unwrap();
    scene.server.set(Behaviour::status(304));
    let _ = follower.round().await;
    assert_eq!(health(&follower).error(), None);
    reads(&scene, tag(1, 7), &[1]);
}

#[tokio::test]
async fn whoever_needs_the_list_alone_needs_no_file_for_sshd() {
    let scene = Scene::new();
    let mut follower = scene.start_with(None);
    scene.server.set(whole(&revoked_keys(tag(1, 7), 0, &[1])));
    assert_eq!(follower.round().await, Duration::ZERO);
    assert_eq!(held(&follower), Some(tag(1, 7)));
    assert_eq!(scene.krl().read().unwrap(), Found::Nothing);
    assert_eq!(held(&scene.start_with(None)), Some(tag(1, 7)));
}
