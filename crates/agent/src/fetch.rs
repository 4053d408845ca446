//! Asking the key server for this host's snapshot.
//!
//! Each way in which an answer can be wrong has its place in [`Outcome`]. The line that matters runs between the server's
//! word (a snapshot, "not modified", or that the host is out) and everything else, which decides nothing. A snapshot and "not
//! modified" are its word only with a [heartbeat](crate::core::heartbeat) for this very question. A refusal needs none: by
//! repeating one, nobody gets in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyroster_api::asks::{self, Asking};
use keyroster_api::enroll::RENEW_WITHIN_HEADER;
use keyroster_api::heartbeat::{HEARTBEAT_HEADER, NONCE_HEADER, Nonce};
use keyroster_api::key_set::{self, KeyChain, Trusted};
use keyroster_api::paths::{HOST_CERTIFICATE, HOST_KEYS, HOST_SNAPSHOT};
use keyroster_api::snapshot::{CONTENT_TYPE, MAX_BYTES, Tag};
use keyroster_api::update;
use keyroster_edge::client::Answer;
use keyroster_edge::{
    ClientError, ClientLimits, FetchError, HttpClient, RequestBuilder, http_client,
};

use tokio::time::Instant;

use crate::config::MAX_WAIT_S;
use crate::core::accept::{Authority, Refusal, accept};
use crate::core::heartbeat::Vouched;
use crate::core::held::Held;
use crate::core::knowledge::{Failure, Outcome};
use crate::core::update::amend;
use crate::random::nonce;
use crate::state::Credential;
use crate::state::journal::Change;
use crate::state::recall::Document;

/// Asks one key server in one host's name.
#[derive(Debug)]
pub struct Fetcher {
    client: HttpClient,
    server: String,
    authority: Authority,
    asking: Asking,
    /// The certificate that it shows, PEM.
    certificate: String,
    /// The serial of the set of snapshot keys and CAs that the host goes by.
    keys_serial: u64,
    /// That of the newest one, as far as the key server has said.
    keys_announced: AtomicU64,
    /// Seconds within which the certificate is to be renewed, as the key server has said last.
    renew_within: AtomicU64,
}

/// What was asked: by what is held, and in which time.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What is held, if anything: the answer may then be "not modified".
    pub held: Option<Arc<Held>>,
    /// In which form the answer may come.
    pub form: Form,
    /// The highest that was ever seen.
    pub seen: Tag,
    /// How long the key server may hold the question until something changes.
    pub wait: Option<Duration>,
    /// How long the whole of it may take.
    pub total: Duration,
}

impl Ask {
    /// The media types that the answer may have.
    fn accept(&self) -> String {
        match (&self.held, self.form) {
            (Some(_), Form::Any) => format!("{CONTENT_TYPE}, {}", update::CONTENT_TYPE),
            _ => CONTENT_TYPE.to_owned(),
        }
    }
}

/// In which form an answer may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Whatever is shorter: the whole snapshot, or an update of what is held.
    Any,
    /// The whole snapshot.
    Whole,
}

/// An outcome, and what was signed when that is new.
#[derive(Debug)]
pub struct Fetched {
    /// What it came to.
    pub outcome: Outcome,
    /// The bytes to keep.
    pub document: Option<Document>,
}

impl Fetcher {
    /// A client for this credential; `server` overrides the one of the enrolment.
    ///
    /// # Errors
    /// When the credential can't be used.
    pub fn new(credential: &Credential, server: Option<&str>) -> Result<Self, ClientError> {
        let limits = ClientLimits {
            read: READ_TIMEOUT,
            ..ClientLimits::default()
        };
        let client = http_client(credential.trust()?, Some(credential.identity()?), limits)?;
        let server = server
            .unwrap_or(&credential.host.server)
            .trim_end_matches('/')
            .to_owned();
        Ok(Self {
            client,
            server,
            authority: credential.authority(),
            asking: Asking::Daemon,
            certificate: credential.certificate.clone(),
            keys_serial: credential.host.keys_serial,
            keys_announced: AtomicU64::new(0),
            renew_within: AtomicU64::new(NOT_ASKED),
        })
    }

    /// The same over connections of its own.
    ///
    /// # Errors
    /// When there is no room for them.
    pub fn anew(&self) -> Result<Self, ClientError> {
        Ok(Self {
            client: self.client.anew()?,
            server: self.server.clone(),
            authority: self.authority.clone(),
            asking: self.asking,
            certificate: self.certificate.clone(),
            keys_serial: self.keys_serial,
            keys_announced: AtomicU64::new(self.keys_announced.load(Ordering::Relaxed)),
            renew_within: AtomicU64::new(self.renew_within.load(Ordering::Relaxed)),
        })
    }

    /// The same for one that is no daemon.
    #[must_use]
    pub fn asking(self, asking: Asking) -> Self {
        Self { asking, ..self }
    }

    /// Whether this is the certificate (PEM) that it shows.
    #[must_use]
    pub fn shows(&self, certificate: &str) -> bool {
        self.certificate == certificate
    }

    /// Who asks.
    #[must_use]
    pub const fn asks(&self) -> Asking {
        self.asking
    }

    /// Asks. When an update comes that can't be used, the whole snapshot is asked for at once, and once, within the same time.
    pub async fn fetch(&self, ask: Ask) -> Fetched {
        let started = Instant::now();
        let fetched = match self.ask(&ask).await {
            Err(Failure::Update(refusal)) => {
                tracing::error!(error = %refusal, "an update is refused; the whole snapshot is asked for");
                let whole = Ask {
                    // What is held may be what is wrong: "not modified" would be no answer.
                    held: None,
                    wait: None,
                    total: ask.total.saturating_sub(started.elapsed()),
                    ..ask
                };
                self.ask(&whole).await
            }
            fetched => fetched,
        };
        fetched.unwrap_or_else(|failure| Outcome::Failed(failure).into())
    }

    async fn ask(&self, ask: &Ask) -> Result<Fetched, Failure> {
        let nonce = nonce().ok_or_else(|| Failure::Transport(NO_NONCE.to_owned()))?;
        let answer = self
            .client
            .send(self.question(ask, nonce), MAX_BYTES)
            .await
            .map_err(|err| Failure::Transport(describe(&err)))?;
        self.note(&answer);
        match (answer.status.as_u16(), &ask.held) {
            (200, held) => {
                let base = match (answer.media_type(), held) {
                    (CONTENT_TYPE, _) => None,
                    (update::CONTENT_TYPE, Some(held)) if ask.form == Form::Any => Some(held),
                    (other, _) => return Err(Failure::NotASnapshot(other.to_owned())),
                };
                let judge = Judge {
                    vouched: self.vouched(&answer, ask, nonce)?,
                    authority: self.authority.clone(),
                    base: base.map(Arc::clone),
                    seen: ask.seen,
                };
                judge.judged(answer.body.into()).await
            }
            (304, Some(held)) => {
                let vouched = self.vouched(&answer, ask, nonce)?;
                let server_time_s = vouched.confirms(held.tag())?;
                Ok(Outcome::NotModified { server_time_s }.into())
            }
            (status @ (401 | 403 | 404 | 410), _) => Ok(Outcome::Refused { status }.into()),
            (status, _) => Err(Failure::Status(status)),
        }
    }

    fn question(&self, ask: &Ask, nonce: Nonce) -> RequestBuilder {
        let url = format!("{}{HOST_SNAPSHOT}", self.server);
        let mut request = self
            .client
            .request(http::Method::GET, &url)
            .header(http::header::ACCEPT, ask.accept())
            .header(NONCE_HEADER, nonce.to_string())
            .header(key_set::HEADER, self.keys_serial)
            .timeout(ask.total);
        if let Some(asking) = self.asking.header() {
            request = request.header(asks::HEADER, asking);
        }
        if let Some(held) = &ask.held {
            request = request.header(http::header::IF_NONE_MATCH, held.tag().to_header());
        }
        if let Some(wait) = ask.wait {
            request = request.header(PREFER, format!("wait={}", wait.as_secs()));
        }
        request
    }

    fn vouched(&self, answer: &Answer, ask: &Ask, nonce: Nonce) -> Result<Vouched, Failure> {
        let header = answer.headers.get(HEARTBEAT_HEADER);
        let header = header.map(http::HeaderValue::as_bytes);
        Vouched::read(header, &self.authority, nonce, ask.seen)
    }

    /// Whose word is believed.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Takes note of what the key server says beside its answer: which set of keys and CAs it has, and whether the certificate is to be
    /// renewed. Both are hints: what is believed is signed.
    fn note(&self, answer: &Answer) {
        let number = |name: &str| answer.headers.get(name)?.to_str().ok()?.parse().ok();
        if let Some(serial) = number(key_set::HEADER) {
            self.keys_announced.store(serial, Ordering::Relaxed);
        }
        let within = number(RENEW_WITHIN_HEADER).unwrap_or(NOT_ASKED);
        self.renew_within.store(within, Ordering::Relaxed);
    }

    /// Within which time the certificate is to be renewed; none when the key server has not asked for it.
    #[must_use]
    pub fn renew_within(&self) -> Option<Duration> {
        match self.renew_within.load(Ordering::Relaxed) {
            NOT_ASKED => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }

    /// Whether the key server has a later set of snapshot keys and CAs than the host.
    #[must_use]
    pub fn is_behind_keys(&self) -> bool {
        self.keys_announced.load(Ordering::Relaxed) > self.keys_serial
    }

    /// Asks for the sets of snapshot keys and CAs after the host's own; the newest that they lead to.
    ///
    /// # Errors
    /// When there was no answer, or none that can be read.
    pub async fn newer_keys(&self, total: Duration) -> Result<Option<Trusted>, FetchError> {
        let path = format!("{HOST_KEYS}?after={}", self.keys_serial);
        let request = self.get(&path).timeout(total);
        let answer = self.send(request, key_set::MAX_BYTES).await?.success()?;
        // What makes no sense leads nowhere.
        let chain: KeyChain = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok(chain.follow(&self.authority.key, self.keys_serial))
    }

    /// Begins a question about something else.
    pub fn get(&self, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.server);
        self.client.request(http::Method::GET, &url)
    }

    /// Begins to tell something.
    pub fn post(&self, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.server);
        self.client.request(http::Method::POST, &url)
    }

    /// Sends it; an answer of more than `cap` bytes is none.
    ///
    /// # Errors
    /// When there was no answer.
    pub async fn send(&self, request: RequestBuilder, cap: usize) -> Result<Answer, FetchError> {
        self.client.send(request, cap).await
    }

    /// Asks for a new certificate with this request (PEM); the answer's body, if it is a success.
    ///
    /// # Errors
    /// When there was none.
    pub async fn renew(&self, csr: String, total: Duration) -> Result<Vec<u8>, FetchError> {
        let body = keyroster_api::enroll::RenewCertificate { csr };
        let request = self
            .client
            .request(
                http::Method::POST,
                &format!("{}{HOST_CERTIFICATE}", self.server),
            )
            .json(&body)
            .timeout(total);
        let answer = self
            .client
            .send(request, MAX_RENEWAL_BYTES)
            .await?
            .success()?;
        Ok(answer.body.into())
    }
}

/// What a document is judged by.
struct Judge {
    vouched: Vouched,
    authority: Authority,
    /// What it changes; none when it is a whole snapshot.
    base: Option<Arc<Held>>,
    seen: Tag,
}

impl Judge {
    /// A large snapshot takes a while to verify and to read, and is judged away from the thread that waits for sockets. For an
    /// update of a few accounts the way there and back would take longer than that.
    async fn judged(self, document: Vec<u8>) -> Result<Fetched, Failure> {
        let is_prepared = self.base.as_ref().is_some_and(|base| base.is_prepared());
        if is_prepared && document.len() <= BYTES_INLINE {
            return self.judge(document);
        }
        tokio::task::spawn_blocking(move || self.judge(document))
            .await
            .unwrap_or_else(|err| Err(Failure::Transport(format!("can't judge the answer: {err}"))))
    }

    fn judge(&self, document: Vec<u8>) -> Result<Fetched, Failure> {
        match &self.base {
            None => self.snapshot(document),
            Some(base) => self
                .update(base, document)
                .map_err(|failure| Failure::Update(Box::new(failure))),
        }
    }

    fn snapshot(&self, document: Vec<u8>) -> Result<Fetched, Failure> {
        let time_s = self.vouched.server_time_s();
        let held = accept(&document, &self.authority, self.seen, time_s)?;
        self.fetched(held, Document::Snapshot(document))
    }

    fn update(&self, base: &Held, document: Vec<u8>) -> Result<Fetched, Failure> {
        if document.len() > update::MAX_BYTES {
            let long = format!("it is longer than {} bytes", update::MAX_BYTES);
            return Err(Refusal::Malformed(long).into());
        }
        let time_s = self.vouched.server_time_s();
        let held = amend(&document, &self.authority, base, self.seen, time_s)?;
        let change = Change {
            from: base.tag().revision,
            to: held.tag(),
            document,
        };
        self.fetched(held, Document::Update(change))
    }

    fn fetched(&self, held: Held, document: Document) -> Result<Fetched, Failure> {
        let server_time_s = self.vouched.confirms(held.tag())?;
        Ok(Fetched {
            outcome: Outcome::Accepted {
                held: Arc::new(held),
                server_time_s,
            },
            document: Some(document),
        })
    }
}

impl From<Outcome> for Fetched {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            document: None,
        }
    }
}

/// What went wrong, in one line.
pub(crate) fn describe(err: &FetchError) -> String {
    match err {
        FetchError::Transport { kind, detail } if err.is_of_unknown_ca() => {
            format!("{kind} ({detail}): {STRANGE_CA}")
        }
        FetchError::Transport { kind, detail } => format!("{kind} ({detail})"),
        FetchError::Status(_) => err.to_string(),
    }
}

/// What a login waits for, at most. With the judging that follows it stays within the second that a revalidation may take,
/// and lookup's patience with its sources ends a little later.
pub const LOGIN_TIMEOUT: Duration = Duration::from_millis(900);

/// What the poller waits for, at most: the largest snapshot over a slow line.
pub const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest silence before and within an answer: longer than a question may be held.
const READ_TIMEOUT: Duration = Duration::from_secs(MAX_WAIT_S as u64 + 5);

/// What is said of a key server of another CA.
const STRANGE_CA: &str = "its CA is none that this host was told of; if the CA was exchanged while this host was away, enrol the host anew";

/// What is said when a question can't be asked.
const NO_NONCE: &str = "the system gives no randomness for a nonce";

/// RFC 7240.
pub(crate) const PREFER: &str = "prefer";

/// What stands where the key server has not asked for a renewal.
const NOT_ASKED: u64 = u64::MAX;

/// Bytes of an update that is judged on the thread that waits for sockets: less than a millisecond of work.
const BYTES_INLINE: usize = 64 * 1024;

/// Bytes of the answer to a renewal.
const MAX_RENEWAL_BYTES: usize = 64 * 1024;
