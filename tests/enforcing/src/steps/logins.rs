//! Who is refused, and what `doctor` says.

use keyroster_testkit::{Failure, Result};

use crate::host::{GRANTED, Host};

/// Revoked, a key gets no answer; and one that lies in a home directory is on the list that sshd reads.
pub fn refuses_revoked_keys(host: &mut Host) -> Result {
    let login = host.with(&host.keys.revoked);
    host.must_let_in(&login)?;
    let list = "revoked-keys = \"/var/lib/keyroster-agent/revoked-keys.krl\"";
    host.must(&format!(
        "echo '{list}' >>/etc/keyroster/agent.toml\n\
         systemctl restart keyroster-agent\n\
         ssh-keygen -Q -l -f /var/lib/keyroster-agent/revoked-keys.krl\n\
         echo 'RevokedKeys /var/lib/keyroster-agent/revoked-keys.krl' >/etc/ssh/sshd_config.d/20-revoked-keys.conf\n\
         sshd -t && systemctl reload ssh"
    ))?;
    host.must_let_in(&login)?;
    host.server
        .admin(&["key", "revoke", &host.keys.revoked.fingerprint()?, "--wait"])?;
    host.must_refuse(&login)?;
    let home = format!("/home/{GRANTED}/.ssh");
    let line = host.keys.revoked.public_line();
    host.must(&format!(
        "install -d -o {GRANTED} -g {GRANTED} -m 700 {home}\n\
         echo '{line}' >{home}/authorized_keys\n\
         restorecon -RF {home} 2>/dev/null || true"
    ))?;
    host.must_refuse(&login)?;
    let other = host.keys.elsewhere.public_line();
    host.must(&format!("echo '{other}' >{home}/authorized_keys"))?;
    host.must_let_in(&host.with(&host.keys.elsewhere))?;
    host.must(&format!("rm -r {home}"))?;
    host.must_let_in(&host.by_grant())
}

/// It runs in the administrator's domain.
pub fn doctor_finds_no_error(host: &mut Host) -> Result {
    let done = host.machine.run("keyroster-agent doctor")?;
    match done.code() {
        Some(0 | 1) => Ok(()),
        _ => Err(Failure::new(format!("{}{}", done.stdout, done.stderr))),
    }
}
