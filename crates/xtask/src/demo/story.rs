//! What happens in the demo, step by step.

use keyroster_testkit::{Failure, Result, Ssh};

use super::interrupt::Interrupt;
use crate::stage::Stage;
use crate::stage::acts::{self, HOST};
use crate::steps::Steps;

/// Plays the whole of it; whatever does not come out as it should is a failure.
pub fn tell(stage: &mut Stage, steps: &mut Steps, interrupt: &Interrupt) -> Result {
    for (what, act) in ACTS {
        interrupt.check()?;
        steps.tell(what, || act(stage))?;
        for note in stage.notes.drain(..) {
            println!("       {note}");
        }
    }
    Ok(())
}

type Act = fn(&mut Stage) -> Result;

const ACTS: [(&str, Act); 12] = [
    (
        "keyroster-server init: data, CA, snapshot key, first admin token; on SQLite",
        acts::init_server,
    ),
    ("keyroster-server run: HTTPS on loopback", acts::run_server),
    (
        "keyroster login: the CA is pinned by its fingerprint",
        acts::log_in,
    ),
    (
        "keyroster user add, key add: alice and her Ed25519 key",
        acts::add_user,
    ),
    (
        "keyroster host-group add, grant add: alice may log in on the group's hosts",
        acts::add_grant,
    ),
    (
        "keyroster host enroll-token; keyroster-agent enroll: this host joins the group",
        acts::enrol,
    ),
    (
        "keyroster-agent run: the signed snapshot is fetched and verified",
        acts::run_agent,
    ),
    (
        "sshd: unprivileged, with the shipped drop-in",
        acts::run_sshd,
    ),
    (
        "ssh: alice is let in, and no file on this host holds her key",
        login_succeeds,
    ),
    ("keyroster explain: why that is so", explain),
    (
        "keyroster key revoke --wait: the host confirms that it holds the change",
        revoke,
    ),
    ("ssh: the same key is refused, at once", login_is_refused),
];

fn login_succeeds(stage: &mut Stage) -> Result {
    let account = stage.login_account.name.as_str();
    let login = ssh(stage)?.command("id -un").run()?;
    if login.status.success() && login.stdout.trim_end() == account {
        return Ok(());
    }
    Err(Failure::new(format!(
        "alice was not let in: {}\n{}{}",
        login.status, login.stdout, login.stderr
    )))
}

fn explain(stage: &mut Stage) -> Result {
    let target = format!("{}@{HOST}", stage.login_account.name);
    let reasons = stage.keyroster(&["explain", &target, "--key", &stage.key.fingerprint()?])?;
    stage.notes.extend(reasons.lines().map(str::to_owned));
    Ok(())
}

fn revoke(stage: &mut Stage) -> Result {
    let receipt = stage.keyroster(&["key", "revoke", &stage.key.fingerprint()?, "--wait"])?;
    stage.notes.extend(receipt.lines().map(str::to_owned));
    Ok(())
}

fn login_is_refused(stage: &mut Stage) -> Result {
    let login = ssh(stage)?.run()?;
    if login.stderr.contains("Permission denied (publickey)") {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the revoked key was not refused: {}\n{}{}",
        login.status, login.stdout, login.stderr
    )))
}

fn ssh(stage: &Stage) -> Result<Ssh> {
    let sshd = stage
        .sshd
        .as_ref()
        .ok_or_else(|| Failure::new("sshd does not run"))?;
    Ok(Ssh::to(sshd, &stage.login_account.name).key(&stage.key))
}
