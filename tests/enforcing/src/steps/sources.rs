//! Where keys come from besides the host agent.

use std::time::Duration;

use keyroster_testkit::{Result, until};

use crate::host::{GRANTED, Host};
use crate::steps::install::wait_until_fresh;

/// One that answers, and one that hangs: lookup runs both in sshd's domain, and ends the second.
pub fn asks_another_provider(host: &mut Host) -> Result {
    let line = host.keys.elsewhere.public_line();
    let (answers, hangs) = ("/usr/local/bin/other-keys", "/usr/local/bin/hanging-keys");
    host.machine
        .write(answers, &format!("#!/bin/sh\necho '{line}'\n"), 0o755)?;
    host.machine
        .write(hangs, "#!/bin/sh\nexec sleep 600\n", 0o755)?;
    let login = host.with(&host.keys.elsewhere);
    host.must_refuse(&login)?;
    host.must(&format!("cp -a {LOOKUP_CONF} {SHIPPED}"))?;
    let chain = format!("authorized_keys: agent command:{answers} command:{hangs}\n");
    host.machine.write(LOOKUP_CONF, &chain, 0o644)?;
    host.must_let_in(&login)?;
    host.must_let_in(&host.by_grant())?;
    // Nobody knows this one, so both are asked.
    host.must_refuse(&host.with(&host.keys.revoked))?;
    host.must_fail("pgrep -f 'sleep 600' -u keyroster-lookup", "")?;
    host.must(&format!("cp -a {SHIPPED} {LOOKUP_CONF}"))?;
    host.must_refuse(&login)
}

/// As a host without a daemon is set up: the key command runs as the owner of the credential.
pub fn asks_directly(host: &mut Host) -> Result {
    host.must("systemctl stop keyroster-agent")?;
    host.machine
        .write(LOOKUP_CONF, "authorized_keys: direct\n", 0o644)?;
    let enable = "keyroster-agent enable --confirm-within never --lookup-user keyroster-agent";
    let trial = format!("--trial-user {GRANTED} --trial-key /root/granted");
    // Where each instruction is emulated a handshake may take longer than a login waits. That is no denial, which the end of the step looks for.
    let enabled = until("`enable` with `direct`", IN_TIME_LIMIT, || {
        let done = host.machine.run(&format!("{enable} {trial}"))?;
        Ok(done.status.success().then_some(()))
    });
    or_logs(host, enabled)?;
    let let_in = until("a login with `direct`", IN_TIME_LIMIT, || {
        Ok(host.by_grant().run()?.status.success().then_some(()))
    });
    or_logs(host, let_in)?;
    host.must_refuse(&host.with(&host.keys.revoked))?;
    host.must(&format!(
        "mv {SHIPPED} {LOOKUP_CONF}\nsystemctl start keyroster-agent"
    ))?;
    wait_until_fresh(host)?;
    host.must(&format!(
        "keyroster-agent enable --confirm-within never {trial}"
    ))?;
    host.must_let_in(&host.by_grant())
}

fn or_logs(host: &Host, tried: Result) -> Result {
    match tried {
        Ok(()) => Ok(()),
        Err(failure) => Err(host.failure(&failure.to_string(), &host.machine.run("true")?)),
    }
}

/// The longest that it is tried again.
const IN_TIME_LIMIT: Duration = Duration::from_secs(120);
const LOOKUP_CONF: &str = "/etc/keyroster/lookup.conf";
/// What the package brought, meanwhile.
const SHIPPED: &str = "/root/lookup.conf";
