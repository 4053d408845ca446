//! An enrolled host and its key server, for tests of the program itself.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use keyroster_agent::state::credential::HostFile;
use keyroster_agent::state::files::raise_high_water;
use keyroster_agent::state::{Credential, StateDir};
use keyroster_api::digest::Tree;
use keyroster_api::freshness::{FreshnessBody, ModeText};
use keyroster_api::signature::{Namespace, SnapshotKey};
use keyroster_api::snapshot::{Account, AccountKey, CONTENT_TYPE, SCHEMA, Segment, Snapshot};
use keyroster_api::update::{self, Update};
use keyroster_testkit::{
    Behaviour, CertificateKind, FakeKeyServer, Program, RootDir, Running, TestCa, Voucher,
};
use keyroster_wire::{Question, Reason, Request, Response};

pub const KEY_TYPE: &str = "ssh-ed25519";
pub const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const HOST_ID: &str = "01934f6e-0000-7000-8000-00000000cafe";

/// A host that was enrolled with a key server that does as it is told.
pub struct Host {
    pub dir: RootDir,
    pub server: FakeKeyServer,
}

/// An answer, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub lines: Option<Vec<String>>,
    pub word: &'static str,
    pub reason: Reason,
}

impl Host {
    /// One whose key server lets `deploy` in with [`BLOB`], as revision 10, for this many seconds fresh.
    pub fn new(max_staleness_s: u32) -> Self {
        let ca = TestCa::new().unwrap();
        let good = serving(&snapshot(10, max_staleness_s));
        let server = FakeKeyServer::start(&ca, CertificateKind::Good, good).unwrap();
        let dir = RootDir::new().unwrap();
        let state = StateDir::create(&dir.path().join("state")).unwrap();
        let credential = credential(&ca, &server.url());
        raise_high_water(&state, credential.host.floor().unwrap()).unwrap();
        credential.save(&state).unwrap();
        dir.dir("run", 0o755).unwrap();
        let host = Self { dir, server };
        host.configure("");
        host
    }

    /// Writes the settings, with these lines besides.
    pub fn configure(&self, more: &str) {
        let path = self.dir.path().display();
        let log = if more.contains("log =") {
            ""
        } else {
            "log = \"stderr\"\n"
        };
        let wait = if more.contains("wait-seconds") {
            ""
        } else {
            "wait-seconds = 0\n"
        };
        let text = format!(
            "state-dir = \"{path}/state\"\nsocket = \"{path}/run/agent.sock\"\npoll-interval-seconds = 3600\n{wait}{log}{more}"
        );
        self.dir.file("agent.toml", text, 0o644).unwrap();
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("agent.toml")
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("run/agent.sock")
    }

    /// The daemon, not yet started.
    pub fn daemon(&self) -> Program {
        program().args(["run", "--config"]).arg(self.config())
    }

    /// The daemon, ready.
    pub fn start(&self) -> Running {
        let mut running = self.daemon().spawn().unwrap();
        running.wait_for_line("ready").unwrap();
        running
    }

    /// Asks the daemon.
    pub fn ask(&self, request: &Request<'_>) -> Told {
        told(&exchange(&self.socket(), &request.encode().unwrap()))
    }

    /// Asks for a login to `deploy`.
    pub fn login(&self) -> Told {
        self.ask(&Request::Keys(question("deploy")))
    }

    /// Asks a `lookup-once` with these bytes.
    pub fn once(&self, request: &[u8]) -> Told {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keyroster-agent"))
            .args(["lookup-once", "--config"])
            .arg(self.config())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A program that reads no further than it must closes the pipe; that is its right.
        let _ = child.stdin.take().unwrap().write_all(request);
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", done.status);
        told(&done.stdout)
    }

    /// Asks a `lookup-once` for a login to `deploy`.
    pub fn login_once(&self) -> Told {
        self.once(&Request::Keys(question("deploy")).encode().unwrap())
    }
}

pub fn program() -> Program {
    Program::at(Path::new(env!("CARGO_BIN_EXE_keyroster-agent")))
}

pub fn question(account: &str) -> Question<'_> {
    Question {
        uid: 1000,
        account,
        key_type: KEY_TYPE,
        key_base64: BLOB,
        fingerprint: "SHA256:x",
    }
}

/// Sends bytes and reads one response, within lookup's two seconds.
pub fn exchange(socket: &Path, request: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(LOOKUP_DEADLINE)).unwrap();
    // One that is told "busy" is not read from.
    let _ = stream.write_all(request);
    Response::read_from(&mut stream).unwrap()
}

/// What an answer's bytes say.
pub fn told(frame: &[u8]) -> Told {
    let response = Response::decode(frame).unwrap();
    let (word, lines) = match response.answer {
        keyroster_wire::Answer::Found(lines) => (
            "found",
            Some(lines.into_iter().map(str::to_owned).collect()),
        ),
        keyroster_wire::Answer::None => ("none", None),
        keyroster_wire::Answer::Unavailable => ("unavailable", None),
    };
    Told {
        lines,
        word,
        reason: response.reason,
    }
}

pub fn refusal(word: &'static str, reason: Reason) -> Told {
    Told {
        lines: None,
        word,
        reason,
    }
}

/// That `deploy` is let in, for this reason.
pub fn found(reason: Reason) -> Told {
    let line = format!("restrict,pty {KEY_TYPE} {BLOB} keyroster:alice:g1");
    Told {
        lines: Some(vec![line]),
        word: "found",
        reason,
    }
}

/// The answer with this snapshot, signed.
pub fn serving(snapshot: &Snapshot) -> Behaviour {
    let key = SnapshotKey::from_seed(&[7; 32]).unwrap();
    let body = key
        .sign(Namespace::Snapshot, &serde_json::to_vec(snapshot).unwrap())
        .unwrap();
    let answer = Behaviour::Answer {
        status: 200,
        headers: vec![format!("content-type: {CONTENT_TYPE}")],
        body,
    };
    answer.vouched(Voucher::new(
        key,
        HOST_ID,
        snapshot.epoch,
        snapshot.revision,
    ))
}

/// The answer with the update that leads from one snapshot to another in which there are no accounts.
pub fn telling(from: &Snapshot, to: &Snapshot) -> Behaviour {
    let gone = |account: &Account| Account {
        name: account.name.clone(),
        keys: Vec::new(),
    };
    let told = Update {
        schema: SCHEMA,
        host: to.host.clone(),
        epoch: to.epoch,
        from_revision: from.revision,
        revision: to.revision,
        issued_at: to.issued_at,
        audit_head: to.audit_head.clone(),
        freshness: to.freshness,
        end_sessions: to.end_sessions,
        accounts: from.accounts.iter().map(gone).collect(),
        digest: Tree::of(&to.accounts).root().to_string(),
    };
    let key = SnapshotKey::from_seed(&[7; 32]).unwrap();
    let body = key
        .sign(Namespace::Update, &serde_json::to_vec(&told).unwrap())
        .unwrap();
    let answer = Behaviour::Answer {
        status: 200,
        headers: vec![format!("content-type: {}", update::CONTENT_TYPE)],
        body,
    };
    answer.vouched(Voucher::new(key, HOST_ID, to.epoch, to.revision))
}

pub fn snapshot(revision: u64, max_staleness_s: u32) -> Snapshot {
    let segment = Segment {
        from: 0,
        until: None,
        options: "restrict,pty".to_owned(),
        comment: "keyroster:alice:g1".to_owned(),
    };
    let key = AccountKey {
        algorithm: KEY_TYPE.to_owned(),
        blob: BLOB.to_owned(),
        segments: vec![segment],
    };
    Snapshot {
        schema: SCHEMA,
        host: HOST_ID.to_owned(),
        host_name: "web-1".to_owned(),
        epoch: 1,
        revision,
        issued_at: 1_700_000_000,
        audit_head: String::new(),
        freshness: FreshnessBody {
            max_staleness_s,
            grace_s: 3600,
            mode: ModeText::Grace,
        },
        end_sessions: false,
        accounts: vec![Account {
            name: "deploy".to_owned(),
            keys: vec![key],
        }],
    }
}

fn credential(ca: &TestCa, server: &str) -> Credential {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::default();
    Credential {
        host: HostFile {
            host_id: HOST_ID.to_owned(),
            name: "web-1".to_owned(),
            server: server.to_owned(),
            epoch: 1,
            revision: 1,
            keys_serial: 0,
        },
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem().into(),
        ca: ca.certificate_pem().to_owned(),
        snapshot_key: SnapshotKey::from_seed(&[7; 32]).unwrap().public(),
    }
}

pub const LOOKUP_DEADLINE: Duration = Duration::from_secs(2);
