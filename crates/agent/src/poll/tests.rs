//! A host with a good snapshot meets a key server that is wrong in every way that we know of.

use keyroster_api::freshness::ModeText;
use keyroster_api::signature::SnapshotKey;
use keyroster_testkit::{Behaviour, CertificateKind, FakeKeyServer, TestCa};
use keyroster_wire::{Question, Reason};
use tempfile::TempDir;

use super::*;
use crate::core::resolver::{Answer, Verdict};
use crate::shared::Health;
use crate::state::memory;
use crate::testing::{
    BLOB, HOST_ID, KEY_TYPE, SmallDisk, TestClock, authority, credential, enrolled, serving, sign,
    snapshot, tag,
};

/// A host and the key server that it was enrolled with.
struct Scene {
    ca: TestCa,
    server: FakeKeyServer,
    clock: TestClock,
    disk: TempDir,
}

/// A host agent that is running.
struct Agent {
    shared: Arc<Shared>,
    poller: Poller,
    poked: mpsc::Receiver<()>,
}

/// What a login is told: the answer's word and its reason.
type Told = (&'static str, Reason);

const STALE: Told = ("found", Reason::GrantedStale);
const FRESH: Told = ("found", Reason::Granted);
const OUT: Told = ("none", Reason::HostRefused);

impl Scene {
    fn new() -> Self {
        let ca = TestCa::new().unwrap();
        let good = serving(&sign(&snapshot(1, 10)));
        let server = FakeKeyServer::start(&ca, CertificateKind::Good, good).unwrap();
        let disk = tempfile::tempdir().unwrap();
        enrolled(&disk.path().join("state"), &credential(&ca, &server.url()));
        Self {
            ca,
            server,
            clock: TestClock::new(),
            disk,
        }
    }

    /// Starts the host agent, with whatever is on disk.
    fn start(&self) -> Agent {
        self.start_with(&self.server.url())
    }

    fn start_with(&self, server: &str) -> Agent {
        start(&self.disk.path().join("state"), &self.clock, server)
    }

    /// A host agent that has had a good answer and whose snapshot is stale since.
    async fn stale(&self) -> Agent {
        let mut agent = self.start();
        agent.poller.first().await;
        self.clock.advance(31);
        agent
    }
}

fn start(state: &std::path::Path, clock: &TestClock, server: &str) -> Agent {
    let dir = StateDir::open(state).unwrap();
    let credential = Credential::load(&dir).unwrap().unwrap();
    let now = crate::clock::Clock::now(clock);
    let floor = credential.host.floor().unwrap();
    let (known, _) = memory::load(&dir, &authority(), floor, &now);
    let (shared, poked) = Shared::new(Box::new(clock.clone()), known);
    let shared = Arc::new(shared);
    // So far apart that only logins make it ask.
    let config = Config {
        server: Some(server.to_owned()),
        poll_interval_seconds: 3600,
        ..Config::default()
    };
    let poller = Poller::new(Arc::clone(&shared), config, credential, dir).unwrap();
    Agent {
        shared,
        poller,
        poked,
    }
}

impl Agent {
    /// A login; it is told within lookup's two seconds or the test fails.
    async fn login(&mut self) -> Told {
        let question = Question {
            uid: 1000,
            account: "deploy",
            key_type: KEY_TYPE,
            key_base64: BLOB,
            fingerprint: "SHA256:x",
        };
        let answered = tokio::select! {
            () = self.poller.run(&mut self.poked) => unreachable!("the poller never ends"),
            answered = tokio::time::timeout(LOOKUP_DEADLINE, self.shared.answer(&question)) => answered,
        };
        told(
            &answered
                .expect("an answer within lookup's deadline")
                .unwrap(),
        )
    }

    fn health(&self) -> Health {
        self.shared.health(|health| health.clone())
    }
}

fn told(answer: &Answer) -> Told {
    let word = match answer.verdict {
        Verdict::Found(_) => "found",
        Verdict::None => "none",
        Verdict::Unavailable => "unavailable",
    };
    (word, answer.reason)
}

const LOOKUP_DEADLINE: Duration = Duration::from_secs(2);

/// A host whose snapshot is stale asks a server that does this, and goes on answering from what it holds.
async fn falls_back(behaviour: Behaviour) {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    let asked = scene.server.requests().len();
    scene.server.set(behaviour);
    assert_eq!(agent.login().await, STALE);
    assert_eq!(
        scene.server.requests().len(),
        asked + 1,
        "the server was asked first"
    );
    assert!(agent.health().fetch.is_some(), "status says that it failed");
    assert_eq!(agent.login().await, STALE);
    assert_eq!(
        scene.server.requests().len(),
        asked + 1,
        "and not asked again by the next login"
    );
}

/// A host whose snapshot is fresh hears this status, and lets nobody in from then on.
async fn is_out(status: u16) {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    scene.server.set(Behaviour::status(status));
    assert_eq!(agent.login().await, OUT);
    scene.server.set(Behaviour::Silent);
    scene.clock.advance(31);
    assert_eq!(
        agent.login().await,
        OUT,
        "a failure afterwards revives nothing"
    );
    agent.poller.finish().await;
    drop(agent);
    let mut restarted = scene.start();
    assert_eq!(restarted.login().await, OUT, "nor does a restart");
    drop(restarted);
    let mut again = scene.start();
    scene.clock.advance(60);
    scene.server.set(serving(&sign(&snapshot(1, 11))));
    assert_eq!(again.login().await, FRESH, "a good answer does");
}

#[tokio::test]
async fn a_401_is_an_authoritative_no() {
    is_out(401).await;
}

#[tokio::test]
async fn a_403_is_an_authoritative_no() {
    is_out(403).await;
}

#[tokio::test]
async fn a_404_is_an_authoritative_no() {
    is_out(404).await;
}

#[tokio::test]
async fn a_410_is_an_authoritative_no() {
    is_out(410).await;
}

#[tokio::test]
async fn a_429_decides_nothing() {
    falls_back(Behaviour::status(429)).await;
}

#[tokio::test]
async fn a_5xx_decides_nothing() {
    for status in [500, 502, 503, 504, 599] {
        falls_back(Behaviour::status(status)).await;
    }
}

#[tokio::test]
async fn html_with_200_decides_nothing() {
    falls_back(Behaviour::Html).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_decides_nothing() {
    let elsewhere = Scene::new();
    falls_back(Behaviour::Redirect(format!(
        "{}/v1/host/snapshot",
        elsewhere.server.url()
    )))
    .await;
    assert!(elsewhere.server.requests().is_empty());
}

#[tokio::test]
async fn ten_gibibytes_decide_nothing() {
    falls_back(Behaviour::TenGibibytes).await;
}

#[tokio::test]
async fn a_truncated_body_decides_nothing() {
    falls_back(Behaviour::Truncated(sign(&snapshot(1, 11)))).await;
}

#[tokio::test]
async fn an_endless_body_decides_nothing() {
    falls_back(Behaviour::Endless).await;
}

#[tokio::test]
async fn endless_headers_decide_nothing() {
    falls_back(Behaviour::EndlessHeaders).await;
}

#[tokio::test]
async fn a_body_that_drips_decides_nothing() {
    falls_back(Behaviour::Dripping).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_for_ever_decides_nothing() {
    falls_back(Behaviour::Silent).await;
}

#[tokio::test]
async fn a_server_that_hangs_up_decides_nothing() {
    falls_back(Behaviour::HangUp).await;
}

#[tokio::test]
async fn what_is_not_http_decides_nothing() {
    falls_back(Behaviour::Garbage).await;
}

#[tokio::test]
async fn a_304_to_a_host_that_holds_nothing_decides_nothing() {
    let scene = Scene::new();
    scene.server.set(Behaviour::status(304));
    let mut agent = scene.start();
    assert_eq!(agent.login().await, ("unavailable", Reason::NoSnapshot));
}

#[tokio::test]
async fn expired_foreign_and_wrongly_named_certificates_decide_nothing() {
    for kind in [
        CertificateKind::Expired,
        CertificateKind::NotYetValid,
        CertificateKind::WrongName,
        CertificateKind::ForeignCa,
        CertificateKind::SelfSigned,
    ] {
        let scene = Scene::new();
        let mut before = scene.stale().await;
        before.poller.finish().await;
        drop(before);
        // It would take the host's snapshot away, if it were believed.
        let evil = FakeKeyServer::start(&scene.ca, kind, Behaviour::status(410)).unwrap();
        let mut agent = scene.start_with(&evil.url());
        assert_eq!(agent.login().await, STALE, "{kind:?}");
        assert!(
            evil.requests().is_empty(),
            "{kind:?}: nothing was asked of it"
        );
        assert!(agent.health().fetch.unwrap().contains("TLS"), "{kind:?}");
    }
}

/// A snapshot that may not be used comes in: the last good one stays, and status says why.
async fn is_refused(document: Vec<u8>, why: &str) {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    scene.server.set(serving(&document));
    assert_eq!(agent.login().await, STALE);
    let said = agent.health().fetch.unwrap();
    assert!(said.contains(why), "{said}");
    assert_eq!(agent.shared.known().seen, tag(1, 10));
    agent.poller.finish().await;
    let on_disk = std::fs::read(scene.disk.path().join("state/snapshot")).unwrap();
    assert_eq!(on_disk, sign(&snapshot(1, 10)));
}

#[tokio::test]
async fn a_snapshot_with_a_flipped_bit_is_refused_and_the_last_good_one_stays() {
    let mut document = sign(&snapshot(1, 11));
    let last = document.len() - 20;
    document[last] ^= 1;
    is_refused(document, "signature").await;
}

#[tokio::test]
async fn a_snapshot_of_another_host_is_refused_and_the_last_good_one_stays() {
    let mut other = snapshot(1, 11);
    other.host = HOST_ID.replace('0', "1");
    is_refused(sign(&other), "is for host").await;
}

#[tokio::test]
async fn a_snapshot_older_than_one_seen_is_refused_and_the_last_good_one_stays() {
    is_refused(sign(&snapshot(1, 9)), "was seen before").await;
}

#[tokio::test]
async fn a_snapshot_signed_by_another_key_is_refused_and_the_last_good_one_stays() {
    let other = SnapshotKey::from_seed(&[99; 32]).unwrap();
    let bytes = serde_json::to_vec(&snapshot(1, 11)).unwrap();
    is_refused(other.sign(&bytes).unwrap(), "signature does not hold").await;
}

#[tokio::test]
async fn in_strict_mode_a_failure_ends_logins_with_freshness() {
    let scene = Scene::new();
    let mut strict = snapshot(1, 10);
    strict.freshness.mode = ModeText::Strict;
    scene.server.set(serving(&sign(&strict)));
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
    scene.server.set(Behaviour::status(304));
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
    scene.server.set(serving(&sign(&revoked)));
    assert_eq!(agent.login().await, ("none", Reason::NoGrant));
}

#[tokio::test]
async fn many_logins_at_once_cost_the_key_server_one_request() {
    let scene = Scene::new();
    let mut agent = scene.stale().await;
    scene.server.set(Behaviour::status(304));
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
    scene.server.set(serving(&sign(&revoked)));
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
