//! Which sessions end, and what of them.

use keyroster_testkit::Ssh;
use rustix::process::Signal;

use crate::support::{SPREAD, Session, Stage, parent_of, signal};

const ACCOUNT: &str = "keyroster-ts1";

fn assert_gone(session: &mut Session) {
    session.wait_until_closed();
    for name in ["shell", "child", "deaf", "detached"] {
        assert!(!session.runs(name), "{name} outlived its session");
    }
}

fn assert_stays(session: &mut Session) {
    assert!(session.is_open());
    for name in ["shell", "child", "deaf", "detached"] {
        assert!(session.runs(name), "{name} of the other session was ended");
    }
}

#[test]
fn of_two_peoples_sessions_in_one_account_one_ends_with_all_it_started_and_the_other_stays() {
    let mut stage = Stage::set(ACCOUNT, &["alice", "bob"], "");
    let spread = |key: &str, terminal: &str| stage.open(&stage.ssh(key).argument(terminal), SPREAD);
    let mut alices = [spread("alice", "-T"), spread("alice", "-tt")];
    let mut bobs = [spread("bob", "-T"), spread("bob", "-tt")];
    stage.say_revoked(&["alice"]);
    let key = stage.key("alice").fingerprint().unwrap();
    let ended = stage.logged("session ended");
    assert!(
        ended.contains(&format!("account={ACCOUNT} key={key} pid=")),
        "{ended}"
    );
    stage.logged("session ended");
    alices.iter_mut().for_each(assert_gone);
    bobs.iter_mut().for_each(assert_stays);
    assert_eq!(stage.records().len(), bobs.len());
}

#[test]
fn a_login_that_comes_after_the_revocation_was_heard_is_ended_at_once() {
    let mut stage = Stage::set(ACCOUNT, &["alice", "bob"], "");
    stage.say_revoked(&["alice"]);
    let mut bobs = stage.open(&stage.ssh("bob"), SPREAD);
    let alices = stage.ssh("alice").command("exec sleep 600").run().unwrap();
    assert!(!alices.status.success(), "{alices:?}");
    stage.logged("session ended");
    assert_stays(&mut bobs);
}

#[test]
fn what_is_added_later_counts_as_well_and_what_is_taken_back_does_not() {
    let mut stage = Stage::set(ACCOUNT, &["alice", "bob"], "");
    let mut alices = stage.open(&stage.ssh("alice"), SPREAD);
    let mut bobs = stage.open(&stage.ssh("bob"), SPREAD);
    stage.say_revoked(&[]);
    stage.say_revoked_too("alice");
    stage.logged("session ended");
    assert_gone(&mut alices);
    assert_stays(&mut bobs);
    stage.say_revoked(&[]);
    let mut again = stage.open(&stage.ssh("alice"), SPREAD);
    assert_stays(&mut again);
}

#[test]
fn a_session_that_two_keys_opened_ends_with_either() {
    let config = "AuthenticationMethods publickey,publickey\n";
    for revoked in ["alice", "token"] {
        let mut stage = Stage::set(ACCOUNT, &["alice", "token"], config);
        let both = stage.ssh("alice").key(stage.key("token"));
        let mut session = stage.open(&both, SPREAD);
        stage.say_revoked(&[revoked]);
        stage.logged("session ended");
        assert_gone(&mut session);
    }
}

#[test]
fn sessions_that_share_a_connection_share_its_key_and_end_together() {
    let mut stage = Stage::set(ACCOUNT, &["alice", "bob"], "");
    let control = stage.dir.path().join("control");
    let shared = |key: &str, master: &str| {
        let path = format!("ControlPath={}", control.display());
        stage
            .ssh(key)
            .option(&path)
            .option(&format!("ControlMaster={master}"))
    };
    let mut first = stage.open(&shared("alice", "yes"), SPREAD);
    // The second has no key of its own to offer: it goes through the first.
    let mut second = stage.open(&shared("bob", "no"), SPREAD);
    assert_eq!(parent_of(second.sshd_pid()), parent_of(first.sshd_pid()));
    let mut bobs = stage.open(&stage.ssh("bob"), SPREAD);
    stage.say_revoked(&["alice"]);
    stage.logged("session ended");
    assert_gone(&mut first);
    assert_gone(&mut second);
    assert_stays(&mut bobs);
}

#[test]
fn a_session_of_root_ends_like_any_other() {
    let mut stage = Stage::set(ACCOUNT, &["alice", "bob"], "");
    let as_root = |key: &str| Ssh::to(&stage.sshd, "root").key(stage.key(key));
    let mut alices = stage.open(&as_root("alice"), SPREAD);
    let mut bobs = stage.open(&as_root("bob"), SPREAD);
    stage.say_revoked(&["alice"]);
    stage.logged("session ended: account=root");
    assert_gone(&mut alices);
    assert_stays(&mut bobs);
}

#[test]
fn an_account_that_stops_its_own_sshd_ends_all_the_same() {
    let mut stage = Stage::set(ACCOUNT, &["alice"], "");
    let mut session = stage.open(&stage.ssh("alice"), SPREAD);
    signal(session.sshd_pid(), Signal::STOP);
    stage.say_revoked(&["alice"]);
    stage.logged("session ended");
    assert_gone(&mut session);
}

#[test]
fn a_process_that_keeps_starting_others_does_not_outrun_the_end() {
    let mut stage = Stage::set(ACCOUNT, &["alice"], "");
    let chain = format!(
        "{SPREAD}; cat > $NOTES/run.sh <<'END'\necho $$ > $NOTES/child\n[ $1 = 0 ] || setsid sh $NOTES/run.sh $(($1 - 1)) &\nEND\nsh $NOTES/run.sh 20000"
    );
    let mut session = stage.open(&stage.ssh("alice"), &chain);
    // A chain that moves on may be missed by one look.
    session.wait_until_seen();
    stage.say_revoked(&["alice"]);
    stage.logged("session ended");
    session.wait_until_closed();
    for _ in 0..20 {
        assert_eq!(session.left(), [0_u32; 0]);
    }
}

#[test]
fn a_daemon_that_was_away_learns_of_the_sessions_that_were_opened_meanwhile() {
    let mut stage = Stage::set(ACCOUNT, &["alice", "bob"], "");
    stage.kill_helper();
    let mut alices = stage.open(&stage.ssh("alice"), SPREAD);
    let mut bobs = stage.open(&stage.ssh("bob"), SPREAD);
    stage.start_helper();
    stage.say_revoked(&["alice"]);
    stage.logged("session ended");
    assert_gone(&mut alices);
    assert_stays(&mut bobs);
}
