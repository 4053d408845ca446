//! Enrolment, as the README says it.

use std::time::Duration;

use keyroster_testkit::{Result, until};

use crate::host::{GROUP, Host};

/// Enrols with a token of one use, starts the host agent's unit, and waits until it has a confirmed snapshot.
pub fn becomes_fresh(host: &mut Host) -> Result {
    let server = format!("server = \"{}\"\n", host.server.url());
    let settings = host.root.read(AGENT_CONFIG)?;
    let settings = settings
        .lines()
        .filter(|line| !line.starts_with("server = "));
    let settings = settings.collect::<Vec<_>>().join("\n");
    host.root
        .write(AGENT_CONFIG, &format!("{server}{settings}\n"), 0o644)?;
    let token = host.server.enrolment_token(GROUP)?;
    let done = host.root.shell(ENROL, &token)?;
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

const AGENT_CONFIG: &str = "/etc/keyroster/agent.toml";
const ENROL: &str = "setpriv --reuid keyroster-agent --regid keyroster-agent --clear-groups \
                     /usr/lib/keyroster/keyroster-agent enroll --token-file -\n\
                     systemctl enable --now keyroster-agent";
const FRESH_LIMIT: Duration = Duration::from_secs(60);
