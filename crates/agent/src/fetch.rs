//! Asking the key server for this host's snapshot.
//!
//! Each way in which an answer can be wrong has its place in [`Outcome`]. The line that matters runs between the server's
//! word (a snapshot, "not modified", or that the host is out) and everything else, which decides nothing. A snapshot and "not
//! modified" are its word only with a [heartbeat](crate::core::heartbeat) for this very question. A refusal needs none: by
//! repeating one, nobody gets in.

use std::sync::Arc;
use std::time::Duration;

use keyroster_api::heartbeat::{HEARTBEAT_HEADER, NONCE_HEADER, Nonce};
use keyroster_api::paths::{HOST_CERTIFICATE, HOST_SNAPSHOT};
use keyroster_api::snapshot::{CONTENT_TYPE, MAX_BYTES, Tag};
use keyroster_edge::client::Answer;
use keyroster_edge::{
    ClientError, ClientLimits, FetchError, HttpClient, RequestBuilder, http_client,
};

use crate::config::MAX_WAIT_S;
use crate::core::accept::{Authority, accept};
use crate::core::heartbeat::Vouched;
use crate::core::knowledge::{Failure, Outcome};
use crate::random::nonce;
use crate::state::Credential;

/// Asks one key server in one host's name.
#[derive(Debug)]
pub struct Fetcher {
    client: HttpClient,
    server: String,
    authority: Authority,
}

/// What was asked: by what is held, and in which time.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// What is held, if anything: the answer may then be "not modified".
    pub held: Option<Tag>,
    /// The highest that was ever seen.
    pub seen: Tag,
    /// How long the key server may hold the question until something changes.
    pub wait: Option<Duration>,
    /// How long the whole of it may take.
    pub total: Duration,
}

/// An outcome, and the signed document when there is a new one.
#[derive(Debug)]
pub struct Fetched {
    /// What it came to.
    pub outcome: Outcome,
    /// The bytes to keep.
    pub document: Option<Vec<u8>>,
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
        })
    }

    /// Asks.
    pub async fn fetch(&self, ask: Ask) -> Fetched {
        self.try_fetch(ask)
            .await
            .unwrap_or_else(|failure| Outcome::Failed(failure).into())
    }

    async fn try_fetch(&self, ask: Ask) -> Result<Fetched, Failure> {
        let nonce = nonce().ok_or_else(|| Failure::Transport(NO_NONCE.to_owned()))?;
        let answer = self
            .client
            .send(self.question(ask, nonce), MAX_BYTES)
            .await
            .map_err(|err| Failure::Transport(describe(&err)))?;
        match answer.status.as_u16() {
            200 if answer.media_type() == CONTENT_TYPE => {
                let vouched = self.vouched(&answer, ask, nonce)?;
                self.judge(answer.body.into(), ask, vouched).await
            }
            200 => Err(Failure::NotASnapshot(answer.media_type().to_owned())),
            status @ 304 => {
                let held = ask.held.ok_or(Failure::Status(status))?;
                let server_time_s = self.vouched(&answer, ask, nonce)?.confirms(held)?;
                Ok(Outcome::NotModified { server_time_s }.into())
            }
            status @ (401 | 403 | 404 | 410) => Ok(Outcome::Refused { status }.into()),
            status => Err(Failure::Status(status)),
        }
    }

    fn question(&self, ask: Ask, nonce: Nonce) -> RequestBuilder {
        let url = format!("{}{HOST_SNAPSHOT}", self.server);
        let mut request = self
            .client
            .request(http::Method::GET, &url)
            .header(http::header::ACCEPT, CONTENT_TYPE)
            .header(NONCE_HEADER, nonce.to_string())
            .timeout(ask.total);
        if let Some(tag) = ask.held {
            request = request.header(http::header::IF_NONE_MATCH, tag.to_header());
        }
        if let Some(wait) = ask.wait {
            request = request.header(PREFER, format!("wait={}", wait.as_secs()));
        }
        request
    }

    fn vouched(&self, answer: &Answer, ask: Ask, nonce: Nonce) -> Result<Vouched, Failure> {
        let header = answer.headers.get(HEARTBEAT_HEADER);
        let header = header.map(http::HeaderValue::as_bytes);
        Vouched::read(header, &self.authority, nonce, ask.seen)
    }

    /// Away from the thread that waits for sockets: a large snapshot takes a while to verify and to read.
    async fn judge(
        &self,
        document: Vec<u8>,
        ask: Ask,
        vouched: Vouched,
    ) -> Result<Fetched, Failure> {
        let authority = self.authority.clone();
        let judged = tokio::task::spawn_blocking(move || {
            let held = accept(&document, &authority, ask.seen, vouched.server_time_s())?;
            let server_time_s = vouched.confirms(held.tag())?;
            Ok(Fetched {
                outcome: Outcome::Accepted {
                    held: Arc::new(held),
                    server_time_s,
                },
                document: Some(document),
            })
        });
        judged
            .await
            .unwrap_or_else(|err| Err(Failure::Transport(format!("can't judge the answer: {err}"))))
    }

    /// Asks for a new certificate with this request (PEM); the answer's body, if it is a success.
    ///
    /// # Errors
    /// When there was none.
    pub async fn renew(&self, csr: String) -> Result<Vec<u8>, FetchError> {
        let body = keyroster_api::enroll::RenewCertificate { csr };
        let request = self
            .client
            .request(
                http::Method::POST,
                &format!("{}{HOST_CERTIFICATE}", self.server),
            )
            .json(&body)
            .timeout(RENEWAL_TIMEOUT);
        let answer = self
            .client
            .send(request, MAX_RENEWAL_BYTES)
            .await?
            .success()?;
        Ok(answer.body.into())
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

fn describe(err: &FetchError) -> String {
    match err {
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

/// What is said when a question can't be asked.
const NO_NONCE: &str = "the system gives no randomness for a nonce";

/// RFC 7240.
const PREFER: &str = "prefer";

/// What a renewal may take.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of the answer to a renewal.
const MAX_RENEWAL_BYTES: usize = 64 * 1024;
