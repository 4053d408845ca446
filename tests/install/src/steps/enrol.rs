//! Enrolment, as the README says it.

use std::time::Duration;

use keyroster_testkit::{Result, until};

use crate::host::{GROUP, Host};

/// Enrols with a token of one use, starts the host agent's unit, and waits until it has a confirmed snapshot.
pub fn becomes_fresh(host: &mut Host) -> Result {
    let token = host.server.enrolment_token(GROUP)?;
    let enrol = ENROL.replace(SERVER, &host.server.url());
    let done = host.root.shell(&enrol, &token)?;
    if !done.status.success() {
        return Err(host.failure("enrolment failed", &done));
    }
    wait_until_fresh(host)?;
    host.before()
        .must_equal(&host.now()?, "after the enrolment")
}

/// Waits until the host agent's unit answers from a confirmed snapshot.
pub fn wait_until_fresh(host: &Host) -> Result {
    let waited = until("the host agent to be fresh", FRESH_LIMIT, || {
        let status = host.root.run(&["keyroster-agent", "status", "--json"])?;
        let fresh = status.stdout.contains("\"state\":\"fresh\"")
            && status.stdout.contains("\"daemon\":true");
        Ok(fresh.then_some(()))
    });
    waited.or_else(|failure| {
        let status = host.root.run(&["keyroster-agent", "status", "--json"])?;
        Err(host.failure(&failure.to_string(), &status))
    })
}

const SERVER: &str = "https://keys.example.org:8443";
const ENROL: &str = "runuser -u keyroster-agent -- \
                     keyroster-agent enroll --server https://keys.example.org:8443 --token-file -\n\
                     systemctl enable --now keyroster-agent";
const FRESH_LIMIT: Duration = Duration::from_secs(60);
