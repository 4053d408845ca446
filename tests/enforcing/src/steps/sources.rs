//! Where keys come from besides the host agent.

use keyroster_testkit::Result;

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
    host.must(&format!("{enable} {trial}"))?;
    host.must_let_in(&host.by_grant())?;
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

const LOOKUP_CONF: &str = "/etc/keyroster/lookup.conf";
/// What the package brought, meanwhile.
const SHIPPED: &str = "/root/lookup.conf";
