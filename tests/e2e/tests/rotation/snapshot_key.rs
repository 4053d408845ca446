//! The snapshot key is exchanged.

use std::fs;

use keyroster_api::signature::{Namespace, SnapshotKey, split};
use keyroster_e2e::Host;
use keyroster_testkit::until;

use crate::estate::{Estate, PATIENCE};

#[test]
fn no_login_fails_while_the_snapshot_key_is_exchanged_and_the_old_key_signs_nothing_afterwards() {
    let mut estate = Estate::start("keyroster-t1").unwrap();
    let mut host = Host::builder(&estate.server, "web-1", "web")
        .start()
        .unwrap();
    let lone = Host::builder(&estate.server, "web-2", "web")
        .direct()
        .start()
        .unwrap();
    estate.logins_are_right(&[&host, &lone]);
    let old = fs::read_to_string(estate.server.data().join("snapshot-key")).unwrap();

    estate.step(&["snapshot-key"]).unwrap();
    estate.logins_are_right(&[&host, &lone]);
    estate.until_nobody_is_behind().unwrap();
    estate.step(&["switch"]).unwrap();
    estate.logins_are_right(&[&host, &lone]);
    estate.step(&["finish"]).unwrap();
    estate.logins_are_right(&[&host, &lone]);
    estate.until_nobody_is_behind().unwrap();
    estate.logins_are_right(&[&host, &lone]);

    // What is on the disk is by the new key, so a host that starts without the key server answers.
    host.kill_agent().unwrap();
    estate.server.stop().unwrap();
    host.start_agent().unwrap();
    estate.logins_are_right(&[&host]);

    // What the old key signs is nobody's word any more.
    host.kill_agent().unwrap();
    let state = host.dir().join("state");
    let document = fs::read(state.join("snapshot")).unwrap();
    let (_, bytes) = split(&document).unwrap();
    let stolen = SnapshotKey::from_openssh(&old).unwrap();
    let forged = stolen.sign(Namespace::Snapshot, bytes).unwrap();
    fs::write(state.join("snapshot"), forged).unwrap();
    host.start_agent().unwrap();
    assert!(!host.lets_in(&estate.account.name, &estate.alice).unwrap());
}

#[test]
fn a_host_that_does_not_know_the_new_key_is_named_and_waited_for() {
    let mut estate = Estate::start("keyroster-t2").unwrap();
    let mut host = Host::builder(&estate.server, "web-1", "web")
        .start()
        .unwrap();
    estate.logins_are_right(&[&host]);
    host.kill_agent().unwrap();
    estate.step(&["snapshot-key"]).unwrap();
    let refused = estate.rotate(&["switch"]).unwrap();
    assert_eq!(refused.code(), Some(75), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("1 host not at the newest set of keys and CAs yet: web-1"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("--abandon"), "{refused:?}");
    // A host that is enrolled meanwhile, and one that was given up and comes back, both find their way.
    let newcomer = Host::builder(&estate.server, "web-2", "web")
        .start()
        .unwrap();
    estate.logins_are_right(&[&newcomer]);
    let abandon = ["--abandon", "web-1"];
    until("the newcomer to be known", PATIENCE, || {
        let switched = estate.rotate(&[&["switch"], &abandon[..]].concat())?;
        Ok((switched.code() == Some(0)).then_some(()))
    })
    .unwrap();
    estate.step(&[&["finish"], &abandon[..]].concat()).unwrap();
    host.start_agent().unwrap();
    host.wait_until_let_in(&estate.account.name, &estate.alice)
        .unwrap();
    estate.until_nobody_is_behind().unwrap();
    estate.logins_are_right(&[&host, &newcomer]);
}

#[test]
fn a_token_of_a_key_that_is_gone_is_refused_and_not_used_up() {
    let mut estate = Estate::start("keyroster-t3").unwrap();
    let token = estate.server.enrolment_token("web").unwrap();
    let early = estate.server.enrolment_token("web").unwrap();
    estate.step(&["snapshot-key"]).unwrap();
    estate.step(&["switch"]).unwrap();
    // Until the end of the exchange hosts believe what it was made with.
    let host = Host::builder(&estate.server, "web-1", "web")
        .token(&early)
        .start()
        .unwrap();
    estate.logins_are_right(&[&host]);
    estate.step_when_ready(&["finish"]).unwrap();
    let refused = Host::builder(&estate.server, "web-2", "web")
        .token(&token)
        .start()
        .unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("before an exchange of the snapshot key"),
        "{said}"
    );
    let hosts = estate.server.admin(&["host", "list"]).unwrap();
    assert!(!hosts.contains("web-2"), "{hosts}");
    let tokens = estate
        .server
        .admin(&["host", "list-enroll-tokens", "--json"])
        .unwrap();
    assert_eq!(tokens.matches("\"used_by\": null").count(), 1, "{tokens}");
}
