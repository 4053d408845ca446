//! Who takes a change back when nobody logs in: the service, as systemd runs it, with everything that its unit takes away from it.
//! Elsewhere tests watch with a process of their own.

use std::time::Duration;

use keyroster_testkit::{Failure, Result, Running, until};

use crate::host::Host;
use crate::steps::enable::DROP_IN;

/// In time, without a login, and by nobody else than the service.
pub fn takes_back(host: &mut Host) -> Result {
    host.root.must(&["keyroster-agent", "disable"])?;
    let before = host.now()?;
    let done = host.root.run(&[&ENABLE[..], &["5s"]].concat())?;
    if done.code() != Some(TAKEN_BACK) {
        return Err(host.failure("a change without a login was not taken back", &done));
    }
    before.must_equal(&host.now()?, "after the service took the change back")?;
    let shown = host.root.must(&[
        "systemctl",
        "show",
        "--property=Result,ExecMainCode,ExecMainStatus",
        UNIT,
    ])?;
    if shown != "Result=success\nExecMainCode=1\nExecMainStatus=0\n" {
        return Err(host.failure(
            &format!("the service did not run to its end: {shown}"),
            &done,
        ));
    }
    host.must_let_in(&host.by_file())?;
    host.must_refuse(&host.by_grant())
}

/// The same though it is killed meanwhile, and `enable` too.
pub fn comes_back_when_killed(host: &mut Host) -> Result {
    let before = host.now()?;
    let mut enabling = waiting(host, "20s")?;
    enabling.kill()?;
    for _ in 0..2 {
        let kill = ["systemctl", "kill", "--signal=KILL", UNIT];
        host.root.must(&kill)?;
        until("the service to come back", LIMIT, || {
            let asked = ["systemctl", "is-active", "--quiet", UNIT];
            let done = host.root.run(&asked)?;
            Ok(done.status.success().then_some(()))
        })?;
    }
    let drop_in = host.root.path(DROP_IN);
    let gone = until("the change to be taken back", LIMIT, || {
        Ok((!drop_in.exists() && !host.root.path(PENDING).exists()).then_some(()))
    });
    gone.map_err(|failure| Failure::new(format!("{failure}\n{}", host.root.journal())))?;
    before.must_equal(&host.now()?, "after a killed service took the change back")?;
    host.must_let_in(&host.by_file())
}

/// sshd waits for the service at a boot, and so never has the configuration that nobody has logged in with.
pub fn comes_before_sshd_at_a_boot(host: &mut Host) -> Result {
    let before = host.now()?;
    let mut enabling = waiting(host, "1h")?;
    enabling.kill()?;
    host.root.reboot()?;
    let after = host.now()?;
    before.files.must_equal(
        &after.files,
        "/etc/ssh after a reboot with a change that waited",
    )?;
    if host.root.path(PENDING).exists() {
        return Err(Failure::new(format!("\"{PENDING}\" is still there")));
    }
    let said = host
        .root
        .must(&["journalctl", "--no-pager", "--boot", "--unit=ssh.service"])?;
    if said.contains("SIGHUP") {
        return Err(Failure::new(format!(
            "sshd had been started with the change, and was told afterwards:\n{said}"
        )));
    }
    host.must_let_in(&host.by_file())?;
    host.must_refuse(&host.by_grant())
}

/// `enable`, up to where it waits for a login.
fn waiting(host: &Host, within: &str) -> Result<Running> {
    let mut enabling = host
        .root
        .begin(&[&ENABLE[..], &[within]].concat().join(" "))?;
    let told = enabling.wait_for_line("now log in");
    told.map_err(|failure| Failure::new(format!("{failure}\n{}", enabling.output())))?;
    Ok(enabling)
}

const ENABLE: [&str; 4] = [
    "keyroster-agent",
    "enable",
    "--without-trial-login",
    "--confirm-within",
];
/// `EX_TEMPFAIL` of sysexits(3).
const TAKEN_BACK: i32 = 75;
const UNIT: &str = "keyroster-enable.service";
const PENDING: &str = "/var/lib/keyroster/pending";
const LIMIT: Duration = Duration::from_secs(60);
