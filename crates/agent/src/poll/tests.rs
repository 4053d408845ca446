//! A host with a good snapshot, and what its key server may do to it.

mod bad_answers;
mod disk;
mod freshness;
mod heartbeats;
mod renewal;
mod updates;
mod waiting;

use keyroster_testkit::{CertificateKind, FakeKeyServer, TestCa};
use keyroster_wire::{Question, Reason};
use tempfile::TempDir;

use super::*;
use crate::core::resolver::{Answer, Verdict};
use crate::shared::Health;
use crate::state::memory;
use crate::testing::{
    BLOB, KEY_TYPE, SmallDisk, TestClock, authority, credential, enrolled, serving, sign, snapshot,
    unchanged,
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
        let good = serving(&snapshot(1, 10));
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

/// One that asks only for logins' sake.
fn start(state: &std::path::Path, clock: &TestClock, server: &str) -> Agent {
    let config = Config {
        poll_interval_seconds: 3600,
        wait_seconds: 0,
        ..Config::default()
    };
    start_with(state, clock, server, config)
}

fn start_with(state: &std::path::Path, clock: &TestClock, server: &str, config: Config) -> Agent {
    let dir = StateDir::open(state).unwrap();
    let credential = Credential::load(&dir).unwrap().unwrap();
    let now = crate::clock::Clock::now(clock);
    let floor = credential.host.floor().unwrap();
    let (known, _) = memory::load(&dir, &authority(), floor, &now);
    let (shared, poked) = Shared::new(Box::new(clock.clone()), known);
    let shared = Arc::new(shared);
    let config = Config {
        server: Some(server.to_owned()),
        ..config
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
