//! Sessions, recorded by PAM's line and ended by the daemon.

use std::time::Duration;

use keyroster_testkit::{Failure, Result, until};

use crate::host::Host;

/// The line is the one of docs/sessions.md, in its place.
pub fn end_with_their_key(host: &mut Host) -> Result {
    host.must(
        "sed -i '/^@include common-session$/a session optional pam_exec.so quiet /usr/lib/keyroster/keyroster-sessions record' /etc/pam.d/sshd\n\
         grep keyroster /etc/pam.d/sshd",
    )?;
    let mut session = host
        .with(&host.keys.ended)
        .command("echo in; exec sleep 600")
        .open()?;
    host.wait_for(&mut session, "in")?;
    let mut other = host.by_grant().command("echo in; exec sleep 600").open()?;
    host.wait_for(&mut other, "in")?;
    host.must("ls /run/keyroster-sessions/records | grep .")?;
    host.server
        .admin(&["key", "revoke", &host.keys.ended.fingerprint()?, "--wait"])?;
    let ended = until("a session to end", END_LIMIT, || {
        Ok((!session.is_running()).then_some(()))
    });
    if let Err(failure) = ended {
        return Err(host.failure(
            &failure.to_string(),
            &host.machine.run("ls -lZ /run/keyroster-sessions/records")?,
        ));
    }
    if other.is_running() {
        return Ok(());
    }
    Err(Failure::new("a session of another key ended as well"))
}

const END_LIMIT: Duration = Duration::from_secs(90);
