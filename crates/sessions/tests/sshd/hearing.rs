//! Who is heard, and what of it is understood.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use keyroster_testkit::Account;
use keyroster_wire::Notice;

use rustix::fs::Uid;
use rustix::thread::set_thread_res_uid;

use crate::support::{SPREAD, Stage};

const ACCOUNT: &str = "keyroster-ts3";

/// What the daemon says to these bytes: nothing, and then it closes.
fn is_closed_on(stage: &Stage, bytes: &[u8]) {
    let mut stream = UnixStream::connect(stage.socket()).unwrap();
    let _closed_while_written = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut said = Vec::new();
    let _reset = stream.read_to_end(&mut said);
    assert!(said.is_empty());
}

fn frames(notices: &[Notice]) -> Vec<u8> {
    notices
        .iter()
        .flat_map(|notice| notice.encode().unwrap())
        .collect()
}

#[test]
fn garbage_and_half_a_set_end_nothing_and_the_next_is_heard() {
    let mut stage = Stage::set(ACCOUNT, &["alice"], "");
    let mut session = stage.open(&stage.ssh("alice"), SPREAD);
    let alice = stage.digest("alice");
    let revoked = Notice::Revoked(vec![alice]);
    let half = frames(&[Notice::Begin, revoked.clone()]);
    let backwards = frames(std::slice::from_ref(&revoked));
    let mut cut = frames(&[Notice::Begin, revoked, Notice::Complete]);
    cut.truncate(cut.len() - 1);
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 64],
        b"KYRN\x02\x01\0\0\0\0",
        b"KYRN\x01\x02\xff\xff\xff\xff",
        &half,
        &backwards,
        &cut,
    ] {
        is_closed_on(&stage, bytes);
    }
    stage.logged("the host agent was not understood");
    assert!(session.is_open());
    assert!(session.runs("child"));
    stage.say_revoked(&["alice"]);
    stage.logged("session ended");
    session.wait_until_closed();
}

#[test]
fn another_user_is_not_heard_and_the_host_agents_is() {
    let stage = Stage::set(ACCOUNT, &["alice"], "");
    let mut session = stage.open(&stage.ssh("alice"), SPREAD);
    let alice = stage.digest("alice");
    let bytes = frames(&[
        Notice::Begin,
        Notice::Revoked(vec![alice]),
        Notice::Complete,
    ]);
    let speak = |user: &str| speak_as(&Account::service(user).unwrap(), &stage, &bytes);
    speak("keyroster-t-other");
    stage.logged("may not speak on the socket");
    assert!(session.is_open());
    assert!(session.runs("child"));
    speak("keyroster-t-agent");
    stage.logged("session ended");
    session.wait_until_closed();
}

/// Speaks from a thread that belongs to this user: the kernel tells users of sockets apart by thread.
fn speak_as(user: &Account, stage: &Stage, bytes: &[u8]) {
    let uid = Uid::from_raw(user.uid);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            set_thread_res_uid(uid, uid, uid).unwrap();
            is_closed_on(stage, bytes);
        });
    });
}
