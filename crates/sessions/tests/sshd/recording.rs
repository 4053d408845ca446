//! What a login leaves behind, and what it does not wait for.

use std::fs;

use keyroster_testkit::{Account, until};
use rustix::process::Signal;

use crate::support::{LIMIT, SPREAD, Stage, parent_of, signal};

const ACCOUNT: &str = "keyroster-ts2";
const HOMELY: &str = "keyroster-ts4";
const HOME: &str = "/run/keyroster-ts4-home";

#[test]
fn a_record_names_account_and_key_and_goes_when_the_session_is_over() {
    let stage = Stage::set(ACCOUNT, &["alice"], "");
    let session = stage.open(&stage.ssh("alice"), SPREAD);
    let records = stage.records();
    let text = fs::read_to_string(&records[0]).unwrap();
    let key = stage.key("alice").fingerprint().unwrap();
    assert!(text.contains(&format!("\naccount {ACCOUNT}\n")), "{text}");
    assert!(text.contains(&format!("\nkey {key}\n")), "{text}");
    assert!(
        text.contains(&format!("monitor {}-", parent_of(session.sshd_pid()))),
        "{text}"
    );
    drop(session);
    until("the record to go", LIMIT, || {
        Ok(stage.records().is_empty().then_some(()))
    })
    .unwrap();
}

#[test]
fn a_certificate_is_recorded_by_its_own_key_and_ends_with_it() {
    let mut stage = Stage::set(ACCOUNT, &["authority", "bob"], "");
    stage.add_key("alice");
    let authority = stage.key("authority");
    let certified = std::process::Command::new("ssh-keygen")
        .args(["-q", "-I", "id", "-n", ACCOUNT, "-s"])
        .args([authority.private_path(), &stage.key("alice").public_path()])
        .status();
    assert!(certified.unwrap().success());
    let line = format!(
        "cert-authority,principals=\"{ACCOUNT}\" {}\n",
        authority.public_line()
    );
    fs::write(stage.dir.path().join("authorized_keys"), line).unwrap();
    let certificate = format!(
        "CertificateFile={}",
        stage.dir.path().join("alice-cert.pub").display()
    );
    let mut session = stage.open(&stage.ssh("alice").option(&certificate), SPREAD);
    stage.say_revoked(&["bob"]);
    stage.say_revoked_too("alice");
    stage.logged("session ended");
    session.wait_until_closed();
}

/// The module would put what stands in a file of the account's own into the environment; it comes after us.
#[test]
fn a_file_in_the_home_directory_cannot_name_another_key() {
    Account::ensure(HOMELY, "/bin/sh", HOME).unwrap();
    let behind = "session required pam_env.so user_readenv=1\n";
    let stage = Stage::with_stack(HOMELY, &["alice", "bob"], "", behind);
    let bob = stage.key("bob");
    let pretend = format!(
        "SSH_AUTH_INFO_0 DEFAULT=\"publickey {}\"\n",
        bob.public_line()
    );
    fs::create_dir_all(HOME).unwrap();
    fs::write(format!("{HOME}/.pam_environment"), pretend).unwrap();
    let session = stage.open(&stage.ssh("alice"), SPREAD);
    let text = fs::read_to_string(&stage.records()[0]).unwrap();
    let alice = stage.key("alice").fingerprint().unwrap();
    assert!(text.contains(&format!("\nkey {alice}\n")), "{text}");
    assert!(
        !text.contains(&bob.fingerprint().unwrap().to_string()),
        "{text}"
    );
    drop(session);
    fs::remove_dir_all(HOME).unwrap();
}

#[test]
fn a_daemon_that_hangs_or_is_not_there_holds_up_no_login() {
    let mut stage = Stage::set(ACCOUNT, &["alice"], "");
    stage.helper().freeze().unwrap();
    assert!(stage.ssh("alice").is_let_in().unwrap());
    stage.helper().thaw().unwrap();
    stage.kill_helper();
    assert!(stage.ssh("alice").is_let_in().unwrap());
}

#[test]
fn a_directory_that_cannot_be_trusted_is_logged_and_the_login_goes_on() {
    let mut stage = Stage::set(ACCOUNT, &["alice"], "");
    stage.kill_helper();
    fs::remove_dir_all(stage.dir.path().join("run")).unwrap();
    stage
        .account
        .own(&stage.dir.dir("run", 0o777).unwrap())
        .unwrap();
    assert!(stage.ssh("alice").is_let_in().unwrap());
    stage.logged("a session is not recorded");
}

#[test]
fn records_of_sessions_that_could_not_say_their_end_go_when_the_daemon_starts() {
    let mut stage = Stage::set(ACCOUNT, &["alice", "bob"], "");
    let mut alices = stage.open(&stage.ssh("alice"), SPREAD);
    let bobs = stage.open(&stage.ssh("bob"), SPREAD);
    stage.kill_helper();
    let killed = parent_of(alices.sshd_pid());
    signal(alices.sshd_pid(), Signal::KILL);
    signal(killed, Signal::KILL);
    alices.wait_until_closed();
    assert_eq!(stage.records().len(), 2);
    stage.start_helper();
    until("the record to go", LIMIT, || {
        Ok((stage.records().len() == 1).then_some(()))
    })
    .unwrap();
    drop(bobs);
}
