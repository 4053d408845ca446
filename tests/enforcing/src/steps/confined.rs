//! What must be refused: a policy that allows everything would have passed every other step.

use keyroster_testkit::{Failure, Result};

use crate::control::Control;
use crate::host::Host;

/// Tries each in the place of a daemon that somebody has taken over.
pub fn to_what_they_need(host: &mut Host) -> Result {
    match host.control {
        Control::SeLinux => under_selinux(host),
        Control::AppArmor => under_apparmor(host),
    }
}

/// A shell that systemd starts in the domain of a file's type can do what the domain can. All of it is the shell's own doing: another
/// program it could not even start.
fn under_selinux(host: &mut Host) -> Result {
    host.must("cp /bin/dash /usr/local/bin/probe")?;
    for (exec, script, denied) in BY_DOMAIN {
        host.must(&format!("chcon -t {exec} /usr/local/bin/probe"))?;
        let runs = format!("systemd-run --quiet --wait --pipe /usr/local/bin/probe -c '{script}'");
        must_be_denied(host, &runs, denied)?;
    }
    // Another daemon, as root, and the host agent's own way to ask.
    host.must(
        "cp /usr/lib/keyroster/keyroster-agent /usr/local/bin/asks\n\
         chcon -t syslogd_exec_t /usr/local/bin/asks",
    )?;
    // Without `--pipe`: not even a pipe may be handed over by D-Bus.
    let asks = "systemd-run --quiet --wait /usr/local/bin/asks status --json";
    must_be_denied(
        host,
        asks,
        "tcontext=system_u:object_r:keyroster_agent_runtime_t",
    )?;
    host.must("rm /usr/local/bin/probe /usr/local/bin/asks")?;
    Ok(())
}

/// The profile is attached to nothing, so a shell can be held to it. The shell itself is opened outside, and is not what the profile judges.
fn under_apparmor(host: &mut Host) -> Result {
    for (profile, script, denied) in BY_PROFILE {
        let runs = format!("aa-exec -p {profile} -- /bin/dash -c '{script}'");
        must_be_denied(host, &runs, denied)?;
    }
    Ok(())
}

/// It fails, and the kernel says that it was what failed it.
fn must_be_denied(host: &mut Host, script: &str, denied: &str) -> Result {
    host.denials.since(&host.machine)?;
    let done = host.machine.run(script)?;
    let all = host.denials.since(&host.machine)?;
    if !done.status.success() && all.iter().any(|line| line.contains(denied)) {
        return Ok(());
    }
    let (out, err) = (done.stdout, done.stderr);
    Err(Failure::new(format!(
        "`{script}` ended with {}, and not for a denial with \"{denied}\"\n{out}{err}\n{}",
        done.status,
        all.join("\n")
    )))
}

/// The type of a file that is entered by, what is tried, and what the denial says.
const BY_DOMAIN: [(&str, &str, &str); 7] = [
    (
        "keyroster_agent_exec_t",
        "read line </etc/shadow",
        "tcontext=system_u:object_r:shadow_t",
    ),
    (
        "keyroster_agent_exec_t",
        "echo >/etc/ssh/sshd_config.d/99-probe.conf",
        "tcontext=system_u:object_r:etc_t",
    ),
    (
        "keyroster_agent_exec_t",
        "read line </etc/ssh/ssh_host_ed25519_key",
        "tcontext=system_u:object_r:sshd_key_t",
    ),
    (
        "keyroster_agent_exec_t",
        "/bin/true",
        "tcontext=system_u:object_r:bin_t",
    ),
    (
        "keyroster_agent_exec_t",
        "read line </root/.ssh/authorized_keys",
        "scontext=system_u:system_r:keyroster_agent_t",
    ),
    (
        "keyroster_sessions_exec_t",
        "read line </var/lib/keyroster-agent/credential/key.pem",
        "scontext=system_u:system_r:keyroster_sessions_t",
    ),
    (
        "keyroster_sessions_exec_t",
        "echo >/etc/ssh/sshd_config.d/99-probe.conf",
        "tcontext=system_u:object_r:etc_t",
    ),
];

/// The profile, what is tried, and what the denial says.
const BY_PROFILE: [(&str, &str, &str); 8] = [
    (
        "keyroster-agent",
        "read line </etc/shadow",
        "name=\"/etc/shadow\"",
    ),
    (
        "keyroster-agent",
        "echo >/etc/ssh/sshd_config.d/99-probe.conf",
        "name=\"/etc/ssh/sshd_config.d/99-probe.conf\"",
    ),
    (
        "keyroster-agent",
        "read line </etc/ssh/ssh_host_ed25519_key",
        "name=\"/etc/ssh/ssh_host_ed25519_key\"",
    ),
    (
        "keyroster-agent",
        "/bin/true",
        "operation=\"exec\" profile=\"keyroster-agent\"",
    ),
    (
        "keyroster-agent",
        "read line </root/.ssh/authorized_keys",
        "name=\"/root/.ssh/authorized_keys\"",
    ),
    (
        "keyroster-sessions",
        "read line </var/lib/keyroster-agent/credential/key.pem",
        "operation=\"capable\" profile=\"keyroster-sessions\"",
    ),
    (
        "keyroster-sessions",
        "echo >/etc/ssh/sshd_config.d/99-probe.conf",
        "name=\"/etc/ssh/sshd_config.d/99-probe.conf\"",
    ),
    (
        "keyroster-sessions",
        "/bin/true",
        "operation=\"exec\" profile=\"keyroster-sessions\"",
    ),
];
