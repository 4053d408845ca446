//! Telling sshd to ask keyroster, and who takes that back.

use std::time::Duration;

use keyroster_testkit::{Failure, Result, Running, until};

use crate::control::Control;
use crate::host::{GRANTED, Host};
use crate::steps::install::{are_confined, wait_until_fresh};

/// Nobody logs in: the service puts back what was there.
pub fn is_taken_back_without_a_login(host: &mut Host) -> Result {
    let key = host.machine.bring(host.keys.granted.private_path())?;
    host.must(&format!("chmod 600 '{key}'"))?;
    let before = host.must(SSHD_FILES)?;
    let mut enabling = begin(host, "--confirm-within 10s")?;
    must_be_watched(host)?;
    let ended = until("`enable` to end", TAKE_BACK_LIMIT, || {
        Ok((!enabling.is_running()).then_some(()))
    });
    ended.map_err(|failure| Failure::new(format!("{failure}\n{}", enabling.output())))?;
    must_be_as_before(host, &before)?;
    host.must_refuse(&host.by_grant())
}

/// The restart comes before the first login and before the time is over.
pub fn is_taken_back_by_a_restart(host: &mut Host) -> Result {
    let before = host.must(SSHD_FILES)?;
    let enabling = begin(host, "--confirm-within 24h")?;
    must_be_watched(host)?;
    drop(enabling);
    host.machine.reboot()?;
    must_be_as_before(host, &before)?;
    are_confined(host)?;
    wait_until_fresh(host)
}

/// Somebody logs in.
pub fn lets_granted_keys_in(host: &mut Host) -> Result {
    let enabling = begin(host, "--confirm-within 5m")?;
    // A login that is over at once may be missed, and one that began in the clock tick of the change does not count.
    let confirmed = until("a login to confirm the change", CONFIRM_LIMIT, || {
        host.must_let_in(&host.by_grant().command("sleep 2"))?;
        Ok(enabling.output().contains("confirmed by").then_some(()))
    });
    confirmed.map_err(|failure| Failure::new(format!("{failure}\n{}", enabling.output())))?;
    host.must_let_in(&host.by_file())?;
    host.must_let_in(&host.by_grant())
}

/// Enables up to where a login is waited for.
fn begin(host: &Host, within: &str) -> Result<Running> {
    let script =
        format!("keyroster-agent enable {within} --trial-user {GRANTED} --trial-key /root/granted");
    let mut enabling = host.machine.begin(&script)?;
    host.wait_for(&mut enabling, "now log in")?;
    Ok(enabling)
}

/// The service is there, in its own domain where there are domains.
fn must_be_watched(host: &Host) -> Result {
    let said =
        host.must("cat /proc/$(systemctl show -p MainPID --value keyroster-enable)/attr/current")?;
    let expected = match host.control {
        Control::SeLinux => ":keyroster_enable_t:",
        Control::AppArmor => "unconfined",
    };
    if said.contains(expected) {
        return Ok(());
    }
    Err(Failure::new(format!("what watches runs as {said}")))
}

fn must_be_as_before(host: &Host, before: &str) -> Result {
    let put_back = until("the change to be taken back", TAKE_BACK_LIMIT, || {
        let waits = host.machine.run("test -e /var/lib/keyroster/pending")?;
        Ok((!waits.status.success()).then_some(()))
    });
    let after = host.must(SSHD_FILES)?;
    if let Err(failure) = put_back {
        return Err(host.failure(&failure.to_string(), &host.machine.run("true")?));
    }
    if before != after {
        return Err(Failure::new(format!(
            "below /etc/ssh, before:\n{before}after:\n{after}"
        )));
    }
    host.must_let_in(&host.by_file())
}

/// Everything that sshd is told, with modes, owners and labels.
pub const SSHD_FILES: &str =
    "cd /etc/ssh && find . -type f -exec sha256sum {} + | sort -k 2 && ls -lRZ --time-style=+";
/// The longest that logins are tried until one confirms.
const CONFIRM_LIMIT: Duration = Duration::from_secs(240);
/// The longest that taking back may take, once the ten seconds are over.
const TAKE_BACK_LIMIT: Duration = Duration::from_secs(240);
