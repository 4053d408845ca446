//! Thousands of simulated hosts in one process.
//!
//! Each keeps one connection, TLS with its own certificate and HTTP/2 as the host agent speaks it, and lets the key server
//! hold its question; what it is told it acknowledges with the next one. It checks TLS and nothing else, and writes nothing
//! to disk: what is measured is the key server, on a machine that both share.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyroster_agent::core::breaker::Breaker;
use keyroster_api::heartbeat::{NONCE_HEADER, Nonce};
use keyroster_api::{paths, snapshot, update};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::credentials::Credentials;

/// The hosts. Dropped, they are gone.
pub struct Fleet {
    seen: Arc<Seen>,
    _hosts: JoinSet<()>,
}

/// What the hosts have seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// For each host the revision that it holds, 0 for none.
    revisions: Vec<AtomicU64>,
    /// For each host how often it was answered.
    answers: Vec<AtomicU64>,
    /// Answers with a whole snapshot.
    pub whole: AtomicU64,
    /// Answers with an update.
    pub updates: AtomicU64,
    /// "Not modified" at the end of a wait.
    pub unchanged: AtomicU64,
    /// "Not modified" before its end: woken in vain.
    pub in_vain: AtomicU64,
    /// Answers of any other status.
    pub others: AtomicU64,
    /// Connections that could not be made or broke.
    pub broken: AtomicU64,
}

struct Host {
    index: usize,
    address: String,
    tls: TlsConnector,
    seen: Arc<Seen>,
    started: Instant,
}

impl Fleet {
    /// Starts hosts numbered from 1, spread over `over`.
    pub fn start(
        server: &str,
        credentials: &Credentials,
        hosts: u64,
        over: Duration,
    ) -> Result<Self, Box<dyn Error>> {
        let address = server
            .strip_prefix("https://")
            .ok_or("an address begins with https://")?;
        let count = usize::try_from(hosts)?;
        let seen = Arc::new(Seen {
            revisions: (0..count).map(|_| AtomicU64::new(0)).collect(),
            answers: (0..count).map(|_| AtomicU64::new(0)).collect(),
            ..Seen::default()
        });
        let roots = roots(credentials)?;
        let mut tasks = JoinSet::new();
        for index in 0..count {
            let number = u64::try_from(index)? + 1;
            let host = Host {
                index,
                address: address.to_owned(),
                tls: TlsConnector::from(Arc::new(tls(credentials, &roots, number)?)),
                seen: Arc::clone(&seen),
                started: Instant::now(),
            };
            let pause = over.mul_f64(index as f64 / count as f64);
            tasks.spawn(host.live(pause));
        }
        Ok(Self {
            seen,
            _hosts: tasks,
        })
    }

    /// What they have seen.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }
}

impl Seen {
    /// How many hosts hold at least this revision.
    pub fn holding(&self, revision: u64) -> usize {
        let revisions = self.revisions.iter();
        revisions
            .filter(|held| held.load(Ordering::Relaxed) >= revision.max(1))
            .count()
    }

    /// How often each host was answered.
    pub fn answers(&self) -> Vec<u64> {
        let answers = self.answers.iter();
        answers.map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// Waits until this many hosts hold at least this revision.
    pub async fn wait(&self, hosts: usize, revision: u64) -> Result<(), Box<dyn Error>> {
        let waited = async {
            while self.holding(revision) < hosts {
                tokio::time::sleep(LOOK).await;
            }
        };
        let all = tokio::time::timeout(LONGEST, waited).await;
        all.map_err(|_| {
            let holding = self.holding(revision);
            format!("{holding} of {hosts} hosts hold revision {revision}: {self:?}").into()
        })
    }
}

type Failed = Box<dyn Error + Send + Sync>;

impl Host {
    async fn live(self, pause: Duration) {
        tokio::time::sleep(pause).await;
        let mut breaker = Breaker::default();
        loop {
            let answered = self
                .seen
                .answers
                .get(self.index)
                .map(|n| n.load(Ordering::Relaxed));
            if self.connection().await.is_err() {
                self.seen.broken.fetch_add(1, Ordering::Relaxed);
            }
            if self
                .seen
                .answers
                .get(self.index)
                .map(|n| n.load(Ordering::Relaxed))
                > answered
            {
                breaker.succeeded();
            }
            // As the host agent pauses; the index spreads them as its randomness does.
            let jitter = u16::try_from(self.index.wrapping_mul(40_503) % 65_536).unwrap_or(0);
            tokio::time::sleep(breaker.failed(self.started.elapsed(), jitter)).await;
        }
    }

    async fn connection(&self) -> Result<(), Failed> {
        let socket = TcpStream::connect(&self.address).await?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from("127.0.0.1")?;
        let stream = TokioIo::new(self.tls.connect(name, socket).await?);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
        let mut driver = tokio::spawn(connection);
        let mut tag = String::new();
        loop {
            tokio::select! {
                ended = &mut driver => return Ok(ended??),
                asked = self.ask(&mut sender, &mut tag) => asked?,
            }
        }
    }

    async fn ask(
        &self,
        sender: &mut SendRequest<Empty<Bytes>>,
        tag: &mut String,
    ) -> Result<(), Failed> {
        let asked = Instant::now();
        let response = sender.send_request(self.question(tag)?).await?;
        let status = response.status().as_u16();
        let header = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let is_update = header("content-type") == Some(update::CONTENT_TYPE);
        let told = header("etag").unwrap_or_default().to_owned();
        response.into_body().collect().await?;
        let seen = &self.seen;
        let counter = match status {
            200 if is_update => &seen.updates,
            200 => &seen.whole,
            304 if asked.elapsed() + EARLY >= WAIT => &seen.unchanged,
            304 => &seen.in_vain,
            _ => &seen.others,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if status == 200 || status == 304 {
            let revision = snapshot::Tag::from_header(&told)?.revision.get();
            *tag = told;
            if let Some(held) = seen.revisions.get(self.index) {
                held.store(revision, Ordering::Relaxed);
            }
            if let Some(count) = seen.answers.get(self.index) {
                count.fetch_add(1, Ordering::Relaxed);
            }
            return Ok(());
        }
        Err(format!("the key server answered {status}").into())
    }

    fn question(&self, tag: &str) -> Result<http::Request<Empty<Bytes>>, Failed> {
        let uri = format!("https://{}{}", self.address, paths::HOST_SNAPSHOT);
        let accept = format!("{}, {}", snapshot::CONTENT_TYPE, update::CONTENT_TYPE);
        let mut nonce = [0; 16];
        for (byte, of_index) in nonce.iter_mut().zip(self.index.to_be_bytes()) {
            *byte = of_index;
        }
        let request = http::Request::get(uri)
            .header("accept", accept)
            .header(NONCE_HEADER, Nonce::new(nonce).to_string());
        let request = match tag {
            "" => request,
            tag => request
                .header("if-none-match", tag)
                .header("prefer", format!("wait={}", WAIT.as_secs())),
        };
        Ok(request.body(Empty::new())?)
    }
}

fn roots(credentials: &Credentials) -> Result<Arc<RootCertStore>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(keyroster_edge::certificate_from_pem(
        credentials.ca().as_bytes(),
    )?)?;
    Ok(Arc::new(roots))
}

fn tls(
    credentials: &Credentials,
    roots: &Arc<RootCertStore>,
    number: u64,
) -> Result<ClientConfig, Box<dyn Error>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = credentials.certificate(number, crate::now_s())?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(roots))
        .with_client_auth_cert(
            keyroster_edge::certificates_from_pem(chain.as_bytes())?,
            keyroster_edge::private_key_from_pem(credentials.key.as_bytes())?,
        )?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// What a report says about them.
pub fn counts(seen: &Seen) -> BTreeMap<&'static str, u64> {
    let pairs = [
        ("whole", &seen.whole),
        ("updates", &seen.updates),
        ("unchanged", &seen.unchanged),
        ("woken_in_vain", &seen.in_vain),
        ("other_status", &seen.others),
        ("broken_connections", &seen.broken),
    ];
    let load = |(name, count): (&'static str, &AtomicU64)| (name, count.load(Ordering::Relaxed));
    pairs.map(load).into_iter().collect()
}

/// How long the key server may hold a question: what the host agent asks for under the usual rules.
const WAIT: Duration = Duration::from_secs(14);
/// By how much a wait may end early.
const EARLY: Duration = Duration::from_millis(200);
/// How often it is looked whether all hosts hold something.
const LOOK: Duration = Duration::from_millis(1);
/// The longest that anything is waited for.
const LONGEST: Duration = Duration::from_secs(120);
