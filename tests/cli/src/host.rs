//! A host that is enrolled without a host agent: only its entry in the roster matters to the command line.

use keyroster_api::enroll::{Enroll, EnrolmentToken};
use keyroster_api::paths;
use keyroster_edge::{CaPin, ClientLimits, Trust, http_client};
use keyroster_testkit::{Failure, KeyServer, Result};
use rcgen::{CertificateParams, KeyPair};
use reqwest::Method;

/// Enrols a host of this name into this host group.
pub fn enrol(server: &KeyServer, host_group: &str, name: &str) -> Result {
    let token = server.enrolment_token(host_group)?;
    let secret = token.split('.').nth(1).unwrap_or_default().to_owned();
    let body = Enroll {
        secret,
        name: name.to_owned(),
        csr: certificate_request()?,
    };
    let pin = EnrolmentToken::parse(&token).map_err(failed)?.ca_pin;
    let client = http_client(
        Trust::Pinned(CaPin::from_bytes(pin)),
        None,
        ClientLimits::default(),
    )
    .map_err(failed)?;
    let request = client
        .request(Method::POST, &format!("{}{}", server.url(), paths::ENROLL))
        .json(&body);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let answer = runtime
        .block_on(client.send(request, MAX_ANSWER_BYTES))
        .map_err(failed)?;
    match answer.status.is_success() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "cannot enrol \"{name}\": {}",
            String::from_utf8_lossy(&answer.body)
        ))),
    }
}

fn certificate_request() -> Result<String> {
    let key = KeyPair::generate().map_err(failed)?;
    let request = CertificateParams::default()
        .serialize_request(&key)
        .map_err(failed)?;
    request.pem().map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

const MAX_ANSWER_BYTES: usize = 64 * 1024;
