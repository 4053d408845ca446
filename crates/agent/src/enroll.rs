//! `keyroster-agent enroll`: how a host gets its credential.
//!
//! The token says which CA to believe and which key signs snapshots, so nothing that comes over the wire is taken on trust: the
//! connection is pinned from the first byte, and the answer must agree with the pins and with the key that was just made.
//! The private key never leaves the host.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyroster_api::enroll::{
    Enroll, Enrolled, EnrolmentToken, EnrolmentTokenError, SNAPSHOT_PIN_HEADER,
};
use keyroster_api::paths::ENROLL;
use keyroster_api::signature::SnapshotPublicKey;
use keyroster_api::{Problem, ProblemKind};
use keyroster_edge::client::Answer;
use keyroster_edge::{CaPin, ClientError, ClientLimits, FetchError, Transport, Trust, http_client};
use keyroster_keys::HostName;
use keyroster_roster::HostId;

use crate::certificate::{NewKey, NewKeyError};
use crate::exit;
use crate::state::credential::HostFile;
use crate::state::{Credential, StateDir, StateError, files};

/// Why a host was not enrolled. Nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The text is no token.
    #[error(transparent)]
    Token(#[from] EnrolmentTokenError),
    /// The token's file can't be read.
    #[error("can't read the enrolment token from \"{path}\": {err}")]
    TokenFile {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        err: std::io::Error,
    },
    /// There is a credential already.
    #[error("this host is enrolled already, as \"{0}\"")]
    Already(String),
    /// The name is no host name.
    #[error("\"{0}\" is not a host name")]
    Name(String),
    /// Neither the command line nor the settings name a key server.
    #[error("no key server is named")]
    NoServer,
    /// The key server's address is none that we would speak to.
    #[error("\"{0}\" is not an address that begins with https://")]
    Server(String),
    /// No key could be made.
    #[error(transparent)]
    Key(NewKeyError),
    /// No client could be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The key server did not answer, or with something else than a refusal of ours.
    #[error("the key server can't be asked: {0}")]
    Fetch(FetchError),
    /// The key server said no, in its own words.
    #[error("the key server refused the enrolment: {}", .0.detail)]
    Refused(Box<Problem>),
    /// What it answered does not agree with the token or with the key.
    #[error("the key server's answer can't be used: {0}")]
    Answer(&'static str),
    /// The credential can't be kept.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What to enrol as.
#[derive(Debug)]
pub struct Request {
    /// The key server, `https://…`.
    pub server: String,
    /// The token.
    pub token: EnrolmentToken,
    /// The name that the host asks for.
    pub name: HostName,
}

/// Enrols this host and keeps its credential.
///
/// # Errors
/// When it can't be enrolled. Nothing is kept then.
pub async fn enroll(dir: &StateDir, request: Request) -> Result<HostFile, EnrollError> {
    if !request.server.starts_with("https://") {
        return Err(EnrollError::Server(request.server));
    }
    if let Some(credential) = Credential::load(dir)? {
        return Err(EnrollError::Already(credential.host.name));
    }
    let key = NewKey::generate()?;
    let pin = CaPin::from_bytes(request.token.ca_pin);
    let client = http_client(Trust::Pinned(pin), None, ClientLimits::default())?;
    let body = Enroll {
        secret: URL_SAFE_NO_PAD.encode(*request.token.secret),
        name: request.name.to_string(),
        csr: key.request()?,
    };
    let server = request.server.trim_end_matches('/').to_owned();
    let post = client
        .request(http::Method::POST, &format!("{server}{ENROLL}"))
        .header(
            SNAPSHOT_PIN_HEADER,
            URL_SAFE_NO_PAD.encode(request.token.snapshot_pin),
        )
        .json(&body);
    let answer = client.send(post, MAX_ANSWER_BYTES).await?;
    let enrolled = read(&answer)?;
    let credential = check(enrolled, &request.token, &key, server)?;
    keep(dir, &credential)?;
    Ok(credential.host)
}

fn read(answer: &Answer) -> Result<Enrolled, EnrollError> {
    if answer.status.is_success() {
        let unreadable = |_| EnrollError::Answer("it is not what an enrolment brings");
        return serde_json::from_slice(&answer.body).map_err(unreadable);
    }
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(problem) if answer.media_type() == keyroster_api::problem::CONTENT_TYPE => {
            Err(EnrollError::Refused(Box::new(problem)))
        }
        _ => Err(EnrollError::Fetch(FetchError::Status(answer.status))),
    }
}

fn check(
    enrolled: Enrolled,
    token: &EnrolmentToken,
    key: &NewKey,
    server: String,
) -> Result<Credential, EnrollError> {
    let ca = pinned_ca(&enrolled, token)?;
    let snapshot_key = pinned(&enrolled, token)?;
    if !key.is_in(&enrolled.certificate) {
        return Err(EnrollError::Answer(
            "its certificate is not for this host's key",
        ));
    }
    let host = HostFile {
        host_id: enrolled.host_id,
        name: enrolled.name,
        server,
        epoch: enrolled.epoch,
        revision: enrolled.revision,
        keys_serial: enrolled.keys_serial,
    };
    if HostId::parse(&host.host_id).is_err()
        || HostName::parse(&host.name).is_err()
        || host.floor().is_err()
    {
        return Err(EnrollError::Answer(
            "it names the host as no host can be named",
        ));
    }
    Ok(Credential {
        host,
        key: key.to_pem(),
        certificate: enrolled.certificate,
        ca,
        snapshot_key,
    })
}

/// The CA that the token names, PEM: the one in force, or the other one of an exchange.
fn pinned_ca(enrolled: &Enrolled, token: &EnrolmentToken) -> Result<String, EnrollError> {
    let pin = CaPin::from_bytes(token.ca_pin);
    for pem in std::iter::once(&enrolled.ca).chain(&enrolled.other_ca) {
        let ca = keyroster_edge::certificate_from_pem(pem.as_bytes())
            .map_err(|_| EnrollError::Answer("its CA is not a certificate"))?;
        if CaPin::of(&ca) == pin {
            return Ok(pem.clone());
        }
    }
    Err(EnrollError::Answer("its CA is not the one of the token"))
}

/// The key that the token names: the one that signs, or the other one of an exchange.
fn pinned(enrolled: &Enrolled, token: &EnrolmentToken) -> Result<SnapshotPublicKey, EnrollError> {
    let lines = std::iter::once(&enrolled.snapshot_key).chain(&enrolled.next_snapshot_key);
    let keys = lines.map(|line| SnapshotPublicKey::from_openssh(line).map(|key| key.newest()));
    let keys: Vec<_> = keys
        .collect::<Result<_, _>>()
        .map_err(|_| EnrollError::Answer("its snapshot key is not an Ed25519 key"))?;
    let pinned = |key: &SnapshotPublicKey| key.pin().ok() == Some(token.snapshot_pin);
    keys.into_iter().find(pinned).ok_or(EnrollError::Answer(
        "its snapshot key is not the one of the token; a token from before an exchange of the key has ended with it",
    ))
}

/// The credential comes last: with it the host is enrolled, and everything else must be ready by then. What an earlier
/// enrolment left is of another host.
fn keep(dir: &StateDir, credential: &Credential) -> Result<(), EnrollError> {
    for old in [
        files::CONFIRMED,
        files::SNAPSHOT,
        files::BREAKER,
        files::HIGH_WATER,
    ] {
        dir.remove(old)?;
    }
    let floor = credential
        .host
        .floor()
        .map_err(|_| EnrollError::Answer("its revision is out of range"))?;
    files::raise_high_water(dir, floor)?;
    Ok(credential.save(dir)?)
}

impl EnrollError {
    /// The exit status, from sysexits(3).
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Token(_) | Self::Answer(_) => exit::DATA,
            Self::Name(_) | Self::NoServer | Self::Server(_) => exit::USAGE,
            Self::TokenFile { .. } => exit::IO,
            Self::Already(_) => exit::CONFIG,
            Self::Fetch(_) => exit::UNAVAILABLE,
            Self::Refused(_) => exit::NO_PERMISSION,
            Self::Key(_) | Self::Client(_) => exit::SOFTWARE,
            Self::State(_) => exit::CANT_CREATE,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Already(_) => Some("to enrol it anew, remove \"credential\" from its state directory first".to_owned()),
            Self::NoServer => Some("say --server https://…, or set `server` in agent.toml".to_owned()),
            Self::Refused(problem) => match ProblemKind::from_type(&problem.kind) {
                Some(ProblemKind::EnrolmentRefused) => Some(NEW_TOKEN.to_owned()),
                _ => problem.hint.clone(),
            },
            Self::Fetch(err) if err.is_of_unknown_ca() => Some(
                "the server at that address is not the one that the token is for, or its CA was exchanged since; the token was not used: ask for a new one".to_owned(),
            ),
            Self::Fetch(err) if err.transport_kind() == Some(Transport::Tls) => Some(
                "the server at that address is not the one that the token is for, or its certificate names another host".to_owned(),
            ),
            _ => None,
        }
    }
}

const NEW_TOKEN: &str = "a token is for one host and one hour; ask for a new one";

/// Bytes of the answer to an enrolment.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
