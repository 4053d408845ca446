//! A host without a host agent: an entry in the roster, and questions that are asked by hand.

use keyroster_api::enroll::{Enroll, Enrolled, EnrolmentToken};
use keyroster_api::paths;
use keyroster_edge::{Answer, CaPin, ClientLimits, HttpClient, Identity, Trust, http_client};
use keyroster_testkit::{Failure, KeyServer, Result};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Method, RequestBuilder, StatusCode};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::runtime::{Builder, Runtime};

/// A host that is enrolled.
#[derive(Debug)]
pub struct EnrolledHost {
    runtime: Runtime,
    client: HttpClient,
    snapshot_url: String,
    held: Option<String>,
}

impl EnrolledHost {
    /// Asks for the snapshot, naming the one that it holds, as a host agent does; and holds what it is told from then on.
    pub fn ask(&mut self) -> Result {
        let mut request = self.client.request(Method::GET, &self.snapshot_url);
        if let Some(held) = &self.held {
            request = request.header("if-none-match", held);
        }
        let answer = send(&self.runtime, &self.client, request)?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(());
        }
        let tag = answer.success().map_err(failed)?.headers.remove("etag");
        let tag = tag.ok_or_else(|| Failure::new("a snapshot without a tag"))?;
        self.held = Some(tag.to_str().map_err(failed)?.to_owned());
        Ok(())
    }
}

/// Enrols a host of this name into this host group.
pub fn enrol(server: &KeyServer, host_group: &str, name: &str) -> Result<EnrolledHost> {
    let token = server.enrolment_token(host_group)?;
    let key = KeyPair::generate().map_err(failed)?;
    let body = Enroll {
        secret: token.split('.').nth(1).unwrap_or_default().to_owned(),
        name: name.to_owned(),
        csr: certificate_request(&key)?,
    };
    let pin = EnrolmentToken::parse(&token).map_err(failed)?.ca_pin;
    let first = client(Trust::Pinned(CaPin::from_bytes(pin)), None)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let url = format!("{}{}", server.url(), paths::ENROLL);
    let answer = send(
        &runtime,
        &first,
        first.request(Method::POST, &url).json(&body),
    )?;
    if !answer.status.is_success() {
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        return Err(Failure::new(format!("cannot enrol \"{name}\": {said}")));
    }
    let enrolled: Enrolled = serde_json::from_slice(&answer.body).map_err(failed)?;
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(failed);
    let identity = Identity {
        chain: vec![certificate(&enrolled.certificate)?],
        key: PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).map_err(failed)?,
    };
    Ok(EnrolledHost {
        runtime,
        client: client(Trust::Ca(certificate(&enrolled.ca)?), Some(identity))?,
        snapshot_url: format!("{}{}", server.url(), paths::HOST_SNAPSHOT),
        held: None,
    })
}

fn client(trust: Trust, identity: Option<Identity>) -> Result<HttpClient> {
    http_client(trust, identity, ClientLimits::default()).map_err(failed)
}

fn send(runtime: &Runtime, client: &HttpClient, request: RequestBuilder) -> Result<Answer> {
    let sent = client.send(request, MAX_ANSWER_BYTES);
    runtime.block_on(sent).map_err(failed)
}

fn certificate_request(key: &KeyPair) -> Result<String> {
    let request = CertificateParams::default()
        .serialize_request(key)
        .map_err(failed)?;
    request.pem().map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

const MAX_ANSWER_BYTES: usize = 64 * 1024;
