//! Updates as the daemon and `lookup-once` follow them.

use std::time::Duration;

use crate::support::{Host, found, refusal, serving, snapshot, telling};
use keyroster_testkit::{Behaviour, until};
use keyroster_wire::Reason;

const WAIT: Duration = Duration::from_secs(60);

/// A key server at which nobody may log in any more, and which says so by an update where it may.
fn revoke(host: &Host) {
    let mut revoked = snapshot(11, 1);
    revoked.accounts.clear();
    let (update, whole) = (telling(&snapshot(10, 1), &revoked), serving(&revoked));
    host.server
        .choose(move |head| match head.contains("update") {
            true => update.clone(),
            false => whole.clone(),
        });
}

fn journal(host: &Host) -> usize {
    let path = host.dir.path().join("state/journal");
    std::fs::read(path).map_or(0, |bytes| bytes.len())
}

fn confirmed(host: &Host) -> String {
    std::fs::read_to_string(host.dir.path().join("state/confirmed")).unwrap_or_default()
}

#[test]
fn what_an_update_takes_from_a_daemon_a_restart_does_not_give_back() {
    let host = Host::new(1);
    let mut daemon = host.start();
    until("the first snapshot", WAIT, || {
        Ok((host.login().word == "found").then_some(()))
    })
    .unwrap();
    revoke(&host);
    until("the revocation", WAIT, || {
        Ok((host.login().word == "none").then_some(()))
    })
    .unwrap();
    until("the confirmation on disk", WAIT, || {
        Ok(confirmed(&host).contains("\"revision\":11").then_some(()))
    })
    .unwrap();
    assert!(journal(&host) > 0);
    daemon.kill().unwrap();
    host.server.set(Behaviour::HangUp);
    let _again = host.start();
    assert_eq!(host.login().word, "none");
}

#[test]
fn a_lookup_once_follows_updates_in_the_same_files() {
    let host = Host::new(1);
    until("the first snapshot", WAIT, || {
        Ok((host.login_once().word == "found").then_some(()))
    })
    .unwrap();
    revoke(&host);
    until("the revocation", WAIT, || {
        Ok((host.login_once().word == "none").then_some(()))
    })
    .unwrap();
    assert!(journal(&host) > 0);
    host.server.set(Behaviour::HangUp);
    assert_eq!(host.login_once().word, "none");
}

#[test]
fn a_journal_that_is_lost_brings_nothing_back() {
    let host = Host::new(1);
    until("the first snapshot", WAIT, || {
        Ok(Some(host.login_once()).filter(|told| *told == found(Reason::Granted)))
    })
    .unwrap();
    revoke(&host);
    until("the revocation", WAIT, || {
        Ok((host.login_once().word == "none").then_some(()))
    })
    .unwrap();
    std::fs::remove_file(host.dir.path().join("state/journal")).unwrap();
    host.server.set(Behaviour::HangUp);
    assert_eq!(
        host.login_once(),
        refusal("unavailable", Reason::NoSnapshot)
    );
}
