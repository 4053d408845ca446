//! An administrator of the bench's key server.

use std::error::Error;
use std::time::Duration;

use http::Method;
use keyroster_api::receipt::Receipt;
use keyroster_edge::{ClientLimits, HttpClient, Trust, http_client};
use keyroster_testkit::KeyServer;
use serde_json::Value;

/// Talks to the API.
#[derive(Debug, Clone)]
pub struct Admin {
    client: HttpClient,
    url: String,
    token: String,
}

impl Admin {
    /// The one who initialised this key server.
    pub fn of(server: &KeyServer) -> Result<Self, Box<dyn Error>> {
        let ca = std::fs::read(server.data().join("ca.pem"))?;
        let trust = Trust::Ca(keyroster_edge::certificate_from_pem(&ca)?);
        let limits = ClientLimits {
            read: PATIENCE,
            total: PATIENCE,
            ..ClientLimits::default()
        };
        Ok(Self {
            client: http_client(trust, None, limits)?,
            url: server.url(),
            token: server.token().to_owned(),
        })
    }

    /// Asks, and reads the answer; one that is no success is an error.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Vec<u8>, Failed> {
        let request = self.client.request(method, &format!("{}{path}", self.url));
        let request = request.bearer_auth(&self.token);
        let request = match body {
            None => request,
            Some(body) => request
                .header("content-type", "application/json")
                .body(serde_json::to_vec(body)?),
        };
        let answer = self.client.send(request, MAX_ANSWER).await?;
        if !answer.status.is_success() {
            let said = String::from_utf8_lossy(&answer.body);
            return Err(format!("{path}: {}: {said}", answer.status).into());
        }
        Ok(answer.body.into())
    }

    /// Makes a change and waits for its receipt.
    pub async fn wait(&self, method: Method, path: &str, body: &Value) -> Result<Receipt, Failed> {
        let path = format!("{path}?wait=confirmed&timeout=120");
        let body = self.ask(method, &path, Some(body)).await?;
        Ok(serde_json::from_slice(&body)?)
    }
}

type Failed = Box<dyn Error + Send + Sync>;

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(150);
/// The largest answer that is read, in bytes: a receipt of 15,000 hosts has three millions.
const MAX_ANSWER: usize = 16 << 20;
