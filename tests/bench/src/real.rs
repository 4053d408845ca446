//! Hosts that run the host agent's own code, many in one process: everything but the socket that lookup asks.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyroster_agent::clock::{Clock as _, SystemClock};
use keyroster_agent::config::Config;
use keyroster_agent::core::resolver::Verdict;
use keyroster_agent::poll::Poller;
use keyroster_agent::shared::Shared;
use keyroster_agent::state::credential::HostFile;
use keyroster_agent::state::{Credential, StateDir, files, memory};
use keyroster_wire::Question;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::credentials::Credentials;
use crate::rows::{GeneratedKey, host_id};

/// A host. Dropped, it asks no more.
pub struct RealHost {
    shared: Arc<Shared>,
    poller: AbortHandle,
}

impl RealHost {
    /// Starts the host of this number, with a new state directory below `parent`.
    pub fn start(
        server: &str,
        credentials: &Credentials,
        number: u64,
        parent: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let (dir, credential) = enrolled(server, credentials, number, parent)?;
        let state_dir = dir.path().to_owned();
        let clock = SystemClock::new()?;
        let now = clock.now();
        let floor = credential.host.floor()?;
        let (known, _) = memory::load(&dir, &credential.authority(), floor, &now);
        let (shared, mut poked) = Shared::new(Box::new(clock), known);
        let shared = Arc::new(shared);
        let config = Config {
            state_dir,
            ..Config::default()
        };
        let mut poller = Poller::new(Arc::clone(&shared), config, credential, dir)?;
        let task = tokio::spawn(async move {
            poller.first().await;
            poller.run(&mut poked).await;
        });
        Ok(Self {
            shared,
            poller: task.abort_handle(),
        })
    }

    /// Waits until the host may answer otherwise than before, or for as long as anybody looks away.
    pub async fn changed(&self, attempts: &mut watch::Receiver<u64>) {
        // A host that is gone is found to be so by asking it.
        let _ = tokio::time::timeout(LOOK, attempts.changed()).await;
    }

    /// Hears of each answer that the host gets from the key server.
    pub fn attempts(&self) -> watch::Receiver<u64> {
        self.shared.attempts()
    }

    /// Asks as a login of `deploy` with this key does; whether it is let in.
    pub async fn lets_in(&self, key: &GeneratedKey) -> bool {
        let question = Question {
            uid: 1000,
            account: "deploy",
            key_type: "ssh-ed25519",
            key_base64: &key.base64,
            fingerprint: &key.fingerprint,
        };
        let answer = self.shared.answer(&question).await;
        answer.is_some_and(|answer| matches!(answer.verdict, Verdict::Found(_)))
    }
}

/// The state directory of the host of this number, as enrolment leaves it.
pub fn enrolled(
    server: &str,
    credentials: &Credentials,
    number: u64,
    parent: &Path,
) -> Result<(StateDir, Credential), Box<dyn Error>> {
    let credential = Credential {
        host: HostFile {
            host_id: host_id(number)?.to_string(),
            name: format!("host-{number}"),
            server: server.to_owned(),
            epoch: 1,
            revision: 1,
            keys_serial: 0,
        },
        key: credentials.key.clone(),
        certificate: credentials.certificate(number, crate::now_s())?,
        ca: credentials.ca().to_owned(),
        snapshot_key: credentials.snapshot_key.clone(),
    };
    let dir = StateDir::create(&parent.join(format!("host-{number}")))?;
    files::raise_high_water(&dir, credential.host.floor()?)?;
    credential.save(&dir)?;
    Ok((dir, credential))
}

/// The longest that a host is not looked at.
const LOOK: Duration = Duration::from_millis(1);

impl Drop for RealHost {
    fn drop(&mut self) {
        self.poller.abort();
    }
}
