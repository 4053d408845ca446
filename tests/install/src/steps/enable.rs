//! Telling sshd to ask keyroster: the step that decides about logins, and what must stop it.

use std::time::Duration;

use keyroster_testkit::{Failure, Result, Running, until};

use crate::host::{BY_FILE, GRANTED, Host, SSHD_CONFIG};
use crate::release::{Release, System};
use crate::tree::Tree;

/// With a configuration that sshd does not take, nothing is touched: not even what could be done without harm.
pub fn stops_at_a_broken_configuration(host: &mut Host) -> Result {
    let sound = host.root.read(SSHD_CONFIG)?;
    let broken = format!("{sound}NoSuchKeyword yes\n");
    host.root.write(SSHD_CONFIG, &broken, 0o644)?;
    let before = Tree::read(&host.root.path("/etc/ssh"))?;
    let said = must_not_enable(host, "NoSuchKeyword");
    let after = Tree::read(&host.root.path("/etc/ssh"))?;
    host.root.write(SSHD_CONFIG, &sound, 0o644)?;
    said?;
    before.must_equal(&after, "/etc/ssh after a refused `enable`")?;
    host.before()
        .must_be_same_process(&host.now()?, "by a refused `enable`")?;
    host.must_let_in(&host.by_file())
}

/// A key command of somebody else's is told with its file, and stays in effect.
pub fn keeps_anothers_key_command(host: &mut Host) -> Result {
    host.root.write(FOREIGN, FOREIGN_TEXT, 0o644)?;
    let before = host.now()?;
    must_not_enable(host, FOREIGN)?;
    before.must_equal(&host.now()?, "after a refused `enable`")?;
    let foreign = host.root.path(FOREIGN);
    std::fs::remove_file(&foreign).map_err(|error| Failure::io("remove", &foreign, &error))?;
    host.before()
        .must_equal(&host.now()?, "without the other key command")
}

/// Debian 13's own drop-in sets a key command: the same, with a real one. The admin makes it a source of lookup's.
pub fn keeps_debians_key_command(host: &mut Host) -> Result {
    let before = host.now()?;
    let command = "authorizedkeyscommand /usr/bin/userdbctl";
    if !before.effective.contains(command) {
        return Err(Failure::new(format!("sshd -T does not say \"{command}\"")));
    }
    must_not_enable(host, "20-systemd-userdb.conf")?;
    before.must_equal(&host.now()?, "after a refused `enable`")?;
    chain_debians_key_command(host)
}

/// Makes Debian's own key command, where it has one, a source of lookup's.
pub fn chain_debians_key_command(host: &Host) -> Result {
    match host.system() {
        System::Debian(Release::Debian13) => host.root.write(LOOKUP_CONF, CHAIN, 0o644),
        System::Debian(Release::Debian11 | Release::Debian12) | System::Rpm => Ok(()),
    }
}

/// Enables while a connection is open: sshd is the same process, the connection lives, both ways in work.
pub fn lets_granted_keys_in(host: &mut Host) -> Result {
    let before = host.now()?;
    let open = OpenConnection::begin(host)?;
    enable(host)?;
    let after = host.now()?;
    let changes = before.files.changes(&after.files);
    if changes != [format!("new: {DROP_IN_NAME}")] {
        return Err(Failure::new(format!(
            "below /etc/ssh: {}",
            changes.join(", ")
        )));
    }
    before.must_be_same_process(&after, "by `enable`")?;
    open.must_still_work(host)?;
    host.must_let_in(&host.by_file())?;
    host.must_let_in(&host.by_grant())
}

/// A key that is revoked with a receipt is refused from then on, the others are not.
pub fn refuses_revoked_keys(host: &mut Host) -> Result {
    let login = host.ssh(GRANTED, &host.revoked_key);
    host.must_let_in(&login)?;
    let fingerprint = host.revoked_key.fingerprint()?;
    let revoke = ["key", "revoke", &fingerprint, "--wait"];
    host.server.admin(&revoke)?;
    host.must_refuse(&login)?;
    host.must_let_in(&host.by_grant())
}

/// A connection that was there before a change, to be tried after it.
struct OpenConnection(Running);

impl OpenConnection {
    fn begin(host: &Host) -> Result<Self> {
        let wait = "echo up; until test -e ended; do sleep 0.1; done; rm ended; echo alive";
        let mut running = host.by_file().command(wait).open()?;
        running.wait_for_line("up")?;
        Ok(Self(running))
    }

    fn must_still_work(mut self, host: &Host) -> Result {
        host.root
            .write(&format!("/home/{BY_FILE}/ended"), "", 0o644)?;
        self.0.wait_for_line("alive").map(drop)
    }
}

/// Enables, as an admin does who has brought the granted key for the trial login, and who logs in with it in a second connection.
pub fn enable(host: &Host) -> Result {
    let key = host.root.bring(host.granted_key.private_path())?;
    let enable = format!("keyroster-agent enable --trial-key {key}");
    let mut enabling = host.root.begin(&enable)?;
    let told = enabling.wait_for_line("now log in");
    told.map_err(|failure| Failure::new(format!("{failure}\n{}", enabling.output())))?;
    // A login that is over at once may be missed, and one that began in the clock tick of the change does not count.
    let confirmed = until("a login to confirm the change", CONFIRM_LIMIT, || {
        host.must_let_in(&host.by_grant().command("sleep 2"))?;
        Ok(enabling.output().contains("confirmed by").then_some(()))
    });
    confirmed.map_err(|failure| Failure::new(format!("{failure}\n{}", host.root.journal())))
}

fn must_not_enable(host: &Host, reported: &str) -> Result {
    let done = host.root.run(&["keyroster-agent", "enable"])?;
    if done.status.success() {
        return Err(host.failure("`enable` did not stop", &done));
    }
    if !done.stderr.contains(reported) {
        let what = format!("`enable` does not report \"{reported}\"");
        return Err(host.failure(&what, &done));
    }
    Ok(())
}

/// The longest that logins are tried until one confirms.
const CONFIRM_LIMIT: Duration = Duration::from_secs(30);
/// Where `enable` writes.
pub const DROP_IN: &str = "/etc/ssh/sshd_config.d/10-keyroster.conf";
const DROP_IN_NAME: &str = "sshd_config.d/10-keyroster.conf";
const LOOKUP_CONF: &str = "/etc/keyroster/lookup.conf";
const CHAIN: &str = "\
authorized_keys: agent command:userdb
command.userdb: /usr/bin/userdbctl ssh-authorized-keys %u
";
const FOREIGN: &str = "/etc/ssh/sshd_config.d/20-other.conf";
const FOREIGN_TEXT: &str =
    "AuthorizedKeysCommand /usr/bin/true %u\nAuthorizedKeysCommandUser nobody\n";
