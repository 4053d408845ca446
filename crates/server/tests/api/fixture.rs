//! A key server in this process, and clients for it.

mod asking;
mod log;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use keyroster_api::enroll::{Enrolled, EnrolmentToken};
use keyroster_api::paths;
use keyroster_edge::{ClientLimits, Drained, HttpClient, Identity, Trust, http_client};
use keyroster_server::app::Parts;
use keyroster_server::backup::back_up;
use keyroster_server::clock::{Clock, SystemClock};
use keyroster_server::config::{Config, DatabaseUrl};
use keyroster_server::credentials::Credentials;
use keyroster_server::data_dir::DataDir;
use keyroster_server::init;
use keyroster_server::limits::Limits;
use keyroster_server::open::open;
use keyroster_server::random::OsRandom;
use keyroster_server::restore::{Wish, WithoutJournal, restore};
use keyroster_server::server::Server;
use keyroster_store::{Damage, RestoreMode};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;

use log::capture_logs;
pub use log::logged;

/// The wall clock, moved by a test.
#[derive(Debug, Default)]
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn unix_millis(&self) -> u64 {
        SystemClock
            .unix_millis()
            .saturating_add_signed(self.0.load(Ordering::Relaxed))
    }
}

/// A server on its own data directory, on a free port of loopback.
pub struct Fixture {
    pub server: Server,
    pub clock: Arc<TestClock>,
    pub token: String,
    pub ca: CertificateDer<'static>,
    data: PathBuf,
    people: HttpClient,
    _dir: TempDir,
}

/// How a roster is put back.
pub enum PutBack {
    /// As it should be.
    Restore,
    /// The file alone, behind everybody's back, on a disk that took the journal with it.
    File,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: bytes::Bytes,
}

/// An enrolled host.
pub struct Host {
    pub enrolled: Enrolled,
    pub client: HttpClient,
    address: SocketAddr,
}

impl Fixture {
    pub async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub async fn start_with(limits: Limits) -> Self {
        Self::start_on(None, limits).await
    }

    pub async fn start_on(database: Option<String>, limits: Limits) -> Self {
        keyroster_edge::install_provider();
        capture_logs();
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let clock = Arc::new(TestClock::default());
        let config = Config::new(&[], database.map(DatabaseUrl::new), None).unwrap();
        let made = init::init(&data, &config, clock.as_ref(), &OsRandom)
            .await
            .unwrap();
        let server = serve(&data, limits, &clock).await;
        let pem = std::fs::read(data.join("ca.pem")).unwrap();
        let ca = keyroster_edge::certificate_from_pem(&pem).unwrap();
        let people = http_client(Trust::Ca(ca.clone()), None, ClientLimits::default()).unwrap();
        Self {
            server,
            clock,
            token: made.token.text.to_string(),
            ca,
            data,
            people,
            _dir: dir,
        }
    }

    /// Stops the server and starts another on the same data, as a restart does; at another port.
    pub async fn restart(mut self) -> Self {
        let server = serve(&self.data, Limits::default(), &self.clock).await;
        assert_eq!(
            std::mem::replace(&mut self.server, server).stop().await,
            Drained::Completely
        );
        self
    }

    /// Backs the roster up.
    pub async fn back_up(&self) {
        let (dir, config) = self.opened();
        back_up(&dir, &config, &self.backup()).await.unwrap();
    }

    /// Stops the server, puts the backup in the roster's place, and starts another server; at another port.
    pub async fn put_back(self, how: PutBack) -> Self {
        let (dir, config) = self.opened();
        let from = self.backup();
        assert_eq!(self.server.stop().await, Drained::Completely);
        match how {
            PutBack::File => {
                let _ = std::fs::copy(from, dir.sqlite()).unwrap();
                std::fs::remove_file(config.journal(&dir)).unwrap();
            }
            PutBack::Restore => {
                let wish = Wish {
                    from: Some(from),
                    journals: Vec::new(),
                    without_journal: WithoutJournal::Refuse,
                    damage: Damage::Refuse,
                    mode: RestoreMode::Commit,
                };
                let reached = &mut |_| Ok(());
                restore(&dir, &config, &wish, self.clock.as_ref(), reached)
                    .await
                    .unwrap();
            }
        }
        let server = serve(&self.data, Limits::default(), &self.clock).await;
        Self { server, ..self }
    }

    fn opened(&self) -> (DataDir, Config) {
        let dir = DataDir::open(&self.data).unwrap();
        let config = Config::load(&dir).unwrap();
        (dir, config)
    }

    fn backup(&self) -> PathBuf {
        self.data.with_extension("backup")
    }

    /// A second server on the same database.
    pub async fn beside(&self) -> Server {
        self.beside_with(Limits::default()).await
    }

    pub async fn beside_with(&self, limits: Limits) -> Server {
        serve(&self.data, limits, &self.clock).await
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    pub fn url(&self, path: &str) -> String {
        url(self.server.address(), path)
    }

    /// As the admin who was made by `init`.
    pub async fn admin(&self, method: Method, path: &str, body: Value) -> Reply {
        self.call(method, path, Some(&self.token), body).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.admin(Method::GET, path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.admin(Method::POST, path, body).await
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Value,
    ) -> Reply {
        let mut request = self.people.request(method, &self.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        send(&self.people, request).await
    }

    /// A request whose body and headers are the test's business.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Reply {
        let request = self
            .people
            .request(method, &self.url(path))
            .bearer_auth(&self.token);
        send(
            &self.people,
            request
                .header("content-type", content_type)
                .body(body.into()),
        )
        .await
    }

    /// Makes a token of this role and returns its text.
    pub async fn token(&self, name: &str, role: &str) -> String {
        let expires_at = keyroster_api::time::to_rfc3339(self.clock.now().saturating_add(3600));
        let reply = self
            .post(
                paths::TOKENS,
                json!({ "name": name, "role": role, "expires_at": expires_at }),
            )
            .await;
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    /// A number among the metrics; 0 when it is not there yet.
    pub async fn metric(&self, name: &str) -> u64 {
        self.metric_at(self.server.address(), name).await
    }

    pub async fn metric_at(&self, address: SocketAddr, name: &str) -> u64 {
        let request = self
            .people
            .request(Method::GET, &url(address, paths::METRICS))
            .bearer_auth(&self.token);
        let text = send(&self.people, request).await.body;
        let text = String::from_utf8(text.to_vec()).unwrap();
        let number = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        text.lines().find_map(number).unwrap_or(0)
    }

    /// Waits until this many requests of hosts wait at a server.
    pub async fn until_waiting_at(&self, address: SocketAddr, hosts: u64) {
        while self.metric_at(address, "keyroster_hosts_waiting").await != hosts {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub async fn until_waiting(&self, hosts: u64) {
        self.until_waiting_at(self.server.address(), hosts).await;
    }

    /// Waits until a server knows this revision of the roster.
    pub async fn until_known_at(&self, address: SocketAddr, revision: u64) {
        while self.metric_at(address, "keyroster_roster_revision").await < revision {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub fn now(&self) -> keyroster_roster::Timestamp {
        self.clock.now()
    }

    pub async fn revision(&self) -> u64 {
        let events = self.get("/v1/audit/head").await.json();
        events["sequence"].as_u64().unwrap()
    }

    pub async fn add_user(&self, name: &str) {
        assert_eq!(
            self.post(paths::USERS, json!({ "name": name }))
                .await
                .status,
            201
        );
    }

    pub async fn add_key(&self, user: &str, line: &str) -> String {
        let reply = self
            .post(
                &paths::fill(paths::USER_KEYS, &[user]),
                json!({ "public_key": line }),
            )
            .await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["fingerprint"].as_str().unwrap().to_owned()
    }

    /// Lets alice in as deploy on every host of the group `web`, with the given key.
    pub async fn let_alice_in(&self, line: &str) -> String {
        self.add_user("alice").await;
        let key = self.add_key("alice", line).await;
        self.add_host_group("web").await;
        let grant = json!({ "user": "alice", "account": "deploy", "host_group": "web" });
        assert_eq!(self.post(paths::GRANTS, grant).await.status, 201);
        key
    }

    pub async fn add_host_group(&self, name: &str) {
        let status = self
            .post(paths::HOST_GROUPS, json!({ "name": name }))
            .await
            .status;
        assert!(matches!(status, 201 | 409), "{status}");
    }

    pub async fn enrolment_token(&self, host_group: &str) -> EnrolmentToken {
        self.add_host_group(host_group).await;
        let reply = self
            .post(paths::ENROLMENT_TOKENS, json!({ "host_group": host_group }))
            .await;
        EnrolmentToken::parse(reply.json()["token"].as_str().unwrap()).unwrap()
    }

    /// Enrols a host into a host group.
    pub async fn enrol(&self, name: &str, host_group: &str) -> Host {
        let token = self.enrolment_token(host_group).await;
        let (csr, key) = certificate_request();
        let body = json!({ "secret": secret_text(&token), "name": name, "csr": csr });
        let reply = self.call(Method::POST, paths::ENROLL, None, body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let enrolled: Enrolled = serde_json::from_slice(&reply.body).unwrap();
        let client = self.host_client(&enrolled.certificate, &key);
        Host {
            enrolled,
            client,
            address: self.server.address(),
        }
    }

    /// A client that shows no certificate, on a connection of its own.
    pub fn another_client(&self) -> HttpClient {
        http_client(Trust::Ca(self.ca.clone()), None, ClientLimits::default()).unwrap()
    }

    /// A client that shows this certificate.
    pub fn host_client(&self, certificate: &str, key: &KeyPair) -> HttpClient {
        let identity = Identity {
            chain: keyroster_edge::certificates_from_pem(certificate.as_bytes()).unwrap(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        };
        http_client(
            Trust::Ca(self.ca.clone()),
            Some(identity),
            ClientLimits::default(),
        )
        .unwrap()
    }
}

pub fn url(address: SocketAddr, path: &str) -> String {
    format!("https://{address}{path}")
}

pub fn secret_text(token: &EnrolmentToken) -> String {
    let text = token.to_text();
    text.split('.').nth(1).unwrap().to_owned()
}

/// A certificate request in PEM, and its key.
pub fn certificate_request() -> (String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (
        CertificateParams::default()
            .serialize_request(&key)
            .unwrap()
            .pem()
            .unwrap(),
        key,
    )
}

async fn serve(data: &std::path::Path, limits: Limits, clock: &Arc<TestClock>) -> Server {
    let dir = DataDir::open(data).unwrap();
    let config = Config::load(&dir).unwrap();
    let opened = open(&dir, &config, &Credentials::at(None)).await.unwrap();
    let parts = Parts {
        opened,
        limits,
        clock: clock.clone(),
        random: Arc::new(OsRandom),
    };
    Server::start(parts, "127.0.0.1:0".parse().unwrap(), config.names)
        .await
        .unwrap()
}

async fn send(client: &HttpClient, request: reqwest::RequestBuilder) -> Reply {
    let answer = client.send(request, MAX_REPLY).await.unwrap();
    Reply {
        status: answer.status.as_u16(),
        headers: answer.headers,
        body: answer.body,
    }
}

const MAX_REPLY: usize = 4 << 20;

/// Public keys whose private halves nobody has.
pub const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcumeEMg9q4s0ueI/FnEjJNP47Cf3lhdA0le+wajWTy";
pub const ANOTHER_ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB";
