//! Asking the key server for this host's snapshot.
//!
//! Each way in which an answer can be wrong has its place in [`Outcome`]. The line that matters runs between the server's
//! word (a snapshot, "not modified", or that the host is out) and everything else, which decides nothing.

use std::time::Duration;

use keyroster_api::paths::{HOST_CERTIFICATE, HOST_SNAPSHOT};
use keyroster_api::snapshot::{CONTENT_TYPE, MAX_BYTES, Tag};
use keyroster_edge::client::Answer;
use keyroster_edge::{ClientError, ClientLimits, FetchError, HttpClient, http_client};
use std::sync::Arc;

use crate::config::MAX_WAIT_S;
use crate::core::accept::{Authority, accept};
use crate::core::knowledge::{Failure, Outcome};
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
    /// The wall clock, for a key server that tells no time.
    pub wall_s: i64,
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
        let mut request = self
            .client
            .request(
                http::Method::GET,
                &format!("{}{HOST_SNAPSHOT}", self.server),
            )
            .header(http::header::ACCEPT, CONTENT_TYPE)
            .timeout(ask.total);
        if let Some(tag) = ask.held {
            request = request.header(http::header::IF_NONE_MATCH, tag.to_header());
        }
        if let Some(wait) = ask.wait {
            request = request.header(PREFER, format!("wait={}", wait.as_secs()));
        }
        match self.client.send(request, MAX_BYTES).await {
            Ok(answer) => self.judge(answer, ask).await,
            Err(err) => Fetched::failed(Failure::Transport(describe(&err))),
        }
    }

    async fn judge(&self, answer: Answer, ask: Ask) -> Fetched {
        let server_time_s = date(&answer);
        match answer.status.as_u16() {
            200 if answer.media_type() == CONTENT_TYPE => {
                self.judge_document(answer.body.into(), ask, server_time_s)
                    .await
            }
            200 => Fetched::failed(Failure::NotASnapshot(answer.media_type().to_owned())),
            304 if ask.held.is_some() => Outcome::NotModified { server_time_s }.into(),
            status @ (401 | 403 | 404 | 410) => Outcome::Refused { status }.into(),
            status => Fetched::failed(Failure::Status(status)),
        }
    }

    /// Away from the thread that waits for sockets: a large snapshot takes a while to verify and to read.
    async fn judge_document(&self, document: Vec<u8>, ask: Ask, told_s: Option<i64>) -> Fetched {
        let authority = self.authority.clone();
        let judged = tokio::task::spawn_blocking(move || {
            let time_s = told_s.unwrap_or(ask.wall_s);
            (accept(&document, &authority, ask.seen, time_s), document)
        });
        match judged.await {
            Ok((Ok(held), document)) => {
                let server_time_s = told_s.unwrap_or(held.snapshot().issued_at);
                let outcome = Outcome::Accepted {
                    held: Arc::new(held),
                    server_time_s,
                };
                Fetched {
                    outcome,
                    document: Some(document),
                }
            }
            Ok((Err(refusal), _)) => Fetched::failed(Failure::Unacceptable(refusal)),
            Err(err) => {
                Fetched::failed(Failure::Transport(format!("can't judge the answer: {err}")))
            }
        }
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

impl Fetched {
    fn failed(failure: Failure) -> Self {
        Outcome::Failed(failure).into()
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

/// The key server's time, from the `Date` header: TLS vouches for it as for the rest.
fn date(answer: &Answer) -> Option<i64> {
    let text = answer.headers.get(http::header::DATE)?.to_str().ok()?;
    Some(
        jiff::fmt::rfc2822::parse(text)
            .ok()?
            .timestamp()
            .as_second(),
    )
}

/// What a login waits for, at most. With the judging that follows it stays within the second that a revalidation may take,
/// and lookup's patience with its sources ends a little later.
pub const LOGIN_TIMEOUT: Duration = Duration::from_millis(900);

/// What the poller waits for, at most: the largest snapshot over a slow line.
pub const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest silence before and within an answer: longer than a question may be held.
const READ_TIMEOUT: Duration = Duration::from_secs(MAX_WAIT_S as u64 + 5);

/// RFC 7240.
const PREFER: &str = "prefer";

/// What a renewal may take.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of the answer to a renewal.
const MAX_RENEWAL_BYTES: usize = 64 * 1024;
