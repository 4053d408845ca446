//! Installing, enrolling, and what docs/mandatory-access.md says.

use std::time::Duration;

use keyroster_testkit::{Failure, Result, until};

use keyroster_install::{Release, System};

use crate::control::Control;
use crate::documented;
use crate::host::{GROUP, Host};

/// Installs the package on a machine that has enforced since its kernel began.
pub fn installs(host: &mut Host) -> Result {
    let said = host.must(match host.control {
        Control::SeLinux => "getenforce; sestatus",
        Control::AppArmor => "aa-enabled; cat /sys/module/apparmor/parameters/mode",
    })?;
    let enforces = match host.control {
        Control::SeLinux => "Enforcing\n",
        Control::AppArmor => "Yes\nenforce",
    };
    if !said.starts_with(enforces) {
        return Err(Failure::new(format!("it does not enforce: {said}")));
    }
    let package = host.packages.current(DEBIAN, HOST_PACKAGE)?;
    let package = host.machine.bring(&package)?;
    host.must(&format!("dpkg --install '{package}'"))?;
    host.must_let_in(&host.by_file())?;
    host.must_refuse(&host.by_grant())
}

/// Enrols with a token of one use.
pub fn enrols(host: &mut Host) -> Result {
    let (url, token) = (host.url(), host.server.enrolment_token(GROUP)?);
    host.must(&format!(
        "echo '{token}' | runuser -u keyroster-agent -- keyroster-agent enroll --server {url} --token-file -\n\
         systemctl enable --now keyroster-agent"
    ))?;
    wait_until_fresh(host)
}

/// Follows the page word for word.
pub fn is_set_up_as_documented(host: &mut Host) -> Result {
    host.must("systemctl enable --now keyroster-sessions")?;
    let (heading, label) = match host.control {
        Control::SeLinux => ("### Installing it", "keyroster_agent_t:s0\n"),
        Control::AppArmor => ("## AppArmor", "keyroster-agent (enforce)\n"),
    };
    let commands = documented::commands(heading)?;
    let said = host.must(&match host.control {
        Control::SeLinux => with_port(&commands, &host.url())?,
        Control::AppArmor => commands,
    })?;
    if !said.ends_with(label) {
        return Err(Failure::new(format!("the host agent runs as {said}")));
    }
    are_confined(host)?;
    wait_until_fresh(host)
}

/// The key server has a port that the policy does not count as HTTP's, so the page wants a line of its own behind `semodule`.
fn with_port(commands: &str, url: &str) -> Result<String> {
    let port = url.rsplit(':').next().unwrap_or_default();
    let (before, after) = commands
        .split_once(INSTALLS_MODULE)
        .ok_or_else(|| Failure::new(format!("the page has no \"{INSTALLS_MODULE}\"")))?;
    Ok(format!(
        "{before}{INSTALLS_MODULE}semanage port -a -t keyroster_port_t -p tcp {port}\n{after}"
    ))
}

/// Both daemons run as they should.
pub fn are_confined(host: &Host) -> Result {
    let labels = match host.control {
        Control::SeLinux => ["keyroster_agent_t", "keyroster_sessions_t"],
        Control::AppArmor => ["keyroster-agent (enforce)", "keyroster-sessions (enforce)"],
    };
    for (unit, label) in ["keyroster-agent", "keyroster-sessions"].iter().zip(labels) {
        let said = host.must(&format!(
            "cat /proc/$(systemctl show -p MainPID --value {unit})/attr/current"
        ))?;
        if !said.contains(label) {
            return Err(Failure::new(format!("{unit} runs as {said}")));
        }
    }
    Ok(())
}

/// Waits until the host agent's unit answers from a confirmed snapshot.
pub fn wait_until_fresh(host: &Host) -> Result {
    let waited = until("the host agent to be fresh", FRESH_LIMIT, || {
        let status = host.machine.run("keyroster-agent status --json")?;
        let fresh = status.stdout.contains("\"state\":\"fresh\"")
            && status.stdout.contains("\"daemon\":true");
        Ok(fresh.then_some(()))
    });
    waited.or_else(|failure| {
        let status = host.machine.run("keyroster-agent status --json")?;
        Err(host.failure(&failure.to_string(), &status))
    })
}

/// What the machine is made of.
pub const DEBIAN: System = System::Debian(Release::Debian12);
/// What hosts install.
pub const HOST_PACKAGE: &str = "keyroster-host";
const INSTALLS_MODULE: &str = "\nsemodule -i keyroster.pp\n";
const FRESH_LIMIT: Duration = Duration::from_secs(180);
