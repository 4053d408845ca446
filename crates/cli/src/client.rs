//! The key server's API as this program uses it: typed calls over the HTTP client that `keyroster-edge` builds.

mod calls;
mod follow;
mod refusal;

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyroster_api::Page;
use keyroster_api::key_set::CAS_HEADER;
use keyroster_api::page::MAX_LIMIT;
use keyroster_edge::{
    Answer, CaPin, ClientLimits, FetchError, HttpClient, Transport, Trust, http_client,
};
use reqwest::header::ACCEPT;
use reqwest::{Method, RequestBuilder, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::address::ServerAddress;
use crate::ca::Cas;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::secret::Token;
use crate::wait::{Change, Waiting};

/// A key server, and the token for it once there is one.
#[derive(Debug)]
pub(crate) struct Client {
    http: HttpClient,
    server: ServerAddress,
    token: Option<Token>,
    /// What to do when it can't be believed.
    trust_hint: &'static str,
    heard: Heard,
}

/// Which CAs the key server has, as it said with its last answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Option<String>>>);

impl Heard {
    fn hear(&self, answer: &Answer) {
        let said = answer.headers.get(CAS_HEADER);
        if let Some(said) = said.and_then(|said| said.to_str().ok()) {
            *self.lock() = Some(said.to_owned());
        }
    }

    /// What was said; none where the CA was never exchanged.
    pub(crate) fn get(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// A key server that this CA vouches for.
    pub(crate) fn new(server: &ServerAddress, ca: &Cas, token: &Token) -> Result<Self> {
        let client = Self::first_contact(server, FirstTrust::Ca(ca))?;
        Ok(client.with_token(token))
    }

    /// A key server whose CA is known by its certificate or by its fingerprint only; no token is sent yet.
    pub(crate) fn first_contact(server: &ServerAddress, known: FirstTrust<'_>) -> Result<Self> {
        let (trust, trust_hint) = match known {
            FirstTrust::Ca(ca) => (Trust::AnyOf(ca.ders().to_vec()), CA_HINT),
            FirstTrust::Fingerprint(pin) => (Trust::Pinned(pin), FINGERPRINT_HINT),
        };
        let http = http_client(trust, None, ClientLimits::default()).map_err(|error| {
            let what = format!("can't prepare a connection to \"{server}\": {error}");
            Failure::new(Exit::Config, what)
        })?;
        Ok(Self {
            http,
            server: server.clone(),
            token: None,
            trust_hint,
            heard: Heard::default(),
        })
    }

    /// The same connection; what is heard of CAs is told there.
    #[must_use]
    pub(crate) fn heard_by(self, heard: &Heard) -> Self {
        Self {
            heard: heard.clone(),
            ..self
        }
    }

    /// The same connection, with this token.
    #[must_use]
    pub(crate) fn with_token(self, token: &Token) -> Self {
        Self {
            token: Some(token.clone()),
            ..self
        }
    }

    /// The CA that a fingerprint led to; none before the first answer.
    pub(crate) fn ca_seen(&self) -> Option<Cas> {
        self.http.ca_seen().map(Cas::from)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.read(self.request(Method::GET, path, &[])?).await
    }

    async fn get_with<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T> {
        self.read(self.request(Method::GET, path, query)?).await
    }

    async fn write<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T> {
        self.read(self.request(method, path, &[])?).await
    }

    async fn write_with<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.read(self.request(method, path, &[])?.json(body)).await
    }

    /// A change; with patience, also who has confirmed it by its end.
    async fn change(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        waiting: Option<&Waiting>,
    ) -> Result<Change> {
        match waiting {
            None => {
                let written = self.write_with(method, path, body).await;
                written.map(Change::Written)
            }
            Some(waiting) => {
                let followed = self.change_and_follow((method, path), body, waiting).await;
                followed.map(Change::Confirmed)
            }
        }
    }

    /// Every item of a list, page after page.
    async fn all<T: DeserializeOwned>(&self, path: &str, progress: &Progress) -> Result<Vec<T>> {
        let mut pages = self.pages(path);
        let mut items = Vec::new();
        while let Some(page) = pages.next(self).await? {
            progress.advance(page.len());
            items.extend(page);
        }
        Ok(items)
    }

    fn pages<T>(&self, path: &str) -> Pages<T> {
        Pages {
            path: path.to_owned(),
            place: Place::Start,
            items: PhantomData,
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<RequestBuilder> {
        let mut url = Url::parse(&self.server.join(path))
            .map_err(|_| self.nonsense("a path that is none"))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self
            .http
            .request(method, url.as_str())
            .header(ACCEPT, "application/json");
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        })
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let answer = self.send(request).await?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body)
                .map_err(|_| self.nonsense("something else than was asked for"));
        }
        Err(refusal::of(&answer, &self.server))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let sent = self.http.send(request, MAX_ANSWER_BYTES).await;
        let answer = sent.map_err(|error| self.unanswered(&error))?;
        self.heard.hear(&answer);
        Ok(answer)
    }

    /// A request that brought no usable answer. Nothing is known of what the key server did with it.
    fn unanswered(&self, error: &FetchError) -> Failure {
        let (exit, hint) = match error.transport_kind() {
            // Whoever names a fingerprint is about to log in already.
            Some(Transport::Tls) if error.is_of_unknown_ca() && self.trust_hint == CA_HINT => {
                (Exit::Unavailable, UNKNOWN_CA_HINT)
            }
            Some(Transport::Tls) => (Exit::Unavailable, self.trust_hint),
            Some(Transport::Timeout) => (Exit::TempFail, CHANGE_HINT),
            Some(Transport::Truncated) => (Exit::Unavailable, CHANGE_HINT),
            Some(Transport::TooLarge | Transport::Malformed) => {
                (Exit::Protocol, "does a key server answer there?")
            }
            Some(Transport::Dns | Transport::Connect) | None => (
                Exit::Unavailable,
                "is the address right, and is it running?",
            ),
        };
        let what = format!(
            "no usable answer from the key server \"{}\": {error}",
            self.server
        );
        Failure::new(exit, what).hint(hint)
    }

    fn nonsense(&self, what: &str) -> Failure {
        let what = format!("the key server \"{}\" answered {what}", self.server);
        Failure::new(Exit::Protocol, what)
            .hint("is it another version, or something else that answers there?")
    }
}

/// A list on its way, a page at a time.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    path: String,
    place: Place,
    items: PhantomData<T>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Start,
    After(String),
    End,
}

impl<T: DeserializeOwned> Pages<T> {
    /// The next page; none after the last one.
    pub(crate) async fn next(&mut self, client: &Client) -> Result<Option<Vec<T>>> {
        let mut query = vec![("limit", MAX_LIMIT.to_string())];
        match &self.place {
            Place::Start => {}
            Place::After(cursor) => query.push(("cursor", cursor.clone())),
            Place::End => return Ok(None),
        }
        let page: Page<T> = client.get_with(&self.path, &query).await?;
        let next = page.next_cursor.map_or(Place::End, Place::After);
        if next != Place::End && next == self.place {
            return Err(client.nonsense("a list that does not go on"));
        }
        self.place = next;
        Ok(Some(page.items))
    }
}

/// How the key server is recognised the first time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FirstTrust<'a> {
    /// By the CA itself.
    Ca(&'a Cas),
    /// By the CA's fingerprint.
    Fingerprint(CaPin),
}

const CA_HINT: &str = "its certificate must be valid for that name and of the known CA";
const UNKNOWN_CA_HINT: &str = "its CA is not the one that is known here; if the key server's CA was exchanged, log in again with the fingerprint that `keyroster-server rotate --data DIR status` tells: keyroster login --server URL --ca-fingerprint SHA256:…";
const FINGERPRINT_HINT: &str = "its certificate must be valid for that name and of the CA with that fingerprint: `keyroster-server init` printed it, and `keyroster-server rotate --data DIR status` does";
const CHANGE_HINT: &str = "if it was a change, it may have been made: look before you repeat it";
/// The largest answer that is read, in bytes: a page of a thousand keys of the largest kind fits several times.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
