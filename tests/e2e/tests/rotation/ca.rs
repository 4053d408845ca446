//! The CA is exchanged.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keyroster_e2e::Host;
use keyroster_testkit::{Result, finish, until};

use crate::estate::{Estate, PATIENCE};

/// Fingerprints of the CAs that the CLI's configuration has.
fn known_cas(estate: &Estate) -> usize {
    let config = fs::read_to_string(estate.server.cli_config()).unwrap();
    config.matches("BEGIN CERTIFICATE").count()
}

fn copy(from: &Path, to: &Path) -> Result {
    let copied = finish(Command::new("cp").arg("-a").arg(from).arg(to), COPY_LIMIT)?;
    copied.success("cp").map(drop)
}

/// What follows `New CA: ` or `CA in force: `.
fn fingerprint(status: &str, before: &str) -> String {
    let rest = status.split(before).nth(1).unwrap();
    rest[..FINGERPRINT_LENGTH].to_owned()
}

/// Somebody whose configuration knows the old CA alone is told to log in again, and can.
fn who_slept_logs_in_again(estate: &Estate, config: &Path) {
    let mut cli = estate.server.cli(&["whoami"]).unwrap();
    cli = cli.env("KEYROSTER_CONFIG", config);
    let refused = cli.finish().unwrap();
    assert_eq!(refused.code(), Some(69), "{refused:?}");
    assert!(refused.stderr.contains("--ca-fingerprint"), "{refused:?}");
    let status = estate.rotate(&["status"]).unwrap().stdout;
    let new = fingerprint(&status, "CA in force: ");
    let token = estate.server.data().with_file_name("token");
    let login = format!(
        "login --server {} --ca-fingerprint {new} --token-file {}",
        estate.server.url(),
        token.display()
    );
    estate
        .server
        .admin(&login.split(' ').collect::<Vec<_>>())
        .unwrap();
}

/// Nobody is waited for in vain without being named, and one exchange is made at a time.
fn who_is_away_is_named(estate: &Estate) {
    let waiting = estate.rotate(&["switch"]).unwrap();
    assert_eq!(waiting.code(), Some(75), "{waiting:?}");
    assert!(waiting.stderr.contains("web-1, web-2"), "{waiting:?}");
    let both = estate.rotate(&["snapshot-key"]).unwrap();
    assert_eq!(both.code(), Some(64), "{both:?}");
}

#[test]
fn no_login_fails_and_nobody_has_to_do_anything_while_the_ca_is_exchanged() {
    let mut estate = Estate::start("keyroster-t4").unwrap();
    let mut host = Host::builder(&estate.server, "web-1", "web")
        .start()
        .unwrap();
    let lone = Host::builder(&estate.server, "web-2", "web")
        .direct()
        .start()
        .unwrap();
    estate.logins_are_right(&[&host, &lone]);
    assert_eq!(known_cas(&estate), 1);
    let thief = tempfile::tempdir().unwrap();
    copy(&estate.server.data(), &thief.path().join("data")).unwrap();

    estate.step(&["ca"]).unwrap();
    estate.logins_are_right(&[&host, &lone]);
    estate.server.admin(&["whoami"]).unwrap();
    assert_eq!(known_cas(&estate), 2);
    // Killed in the middle of what it learns, a host agent finds one of the two states on its disk.
    host.kill_agent().unwrap();
    host.start_agent().unwrap();
    estate.until_nobody_is_behind().unwrap();
    estate.step(&["switch"]).unwrap();
    let too_early = estate.rotate(&["finish"]).unwrap();
    assert_eq!(too_early.code(), Some(75), "{too_early:?}");
    assert!(too_early.stderr.contains("web-2"), "{too_early:?}");
    estate.logins_are_right(&[&host, &lone]);
    estate.server.admin(&["whoami"]).unwrap();
    // A host without the daemon renews with a login, and shows the new certificate with the next one.
    estate.logins_are_right(&[&host, &lone]);
    estate.step_when_ready(&["finish"]).unwrap();
    estate.logins_are_right(&[&host, &lone]);
    estate.until_nobody_is_behind().unwrap();
    estate.server.admin(&["whoami"]).unwrap();
    assert_eq!(known_cas(&estate), 1);
    estate.server.admin(&["whoami"]).unwrap();
    let log = estate.server.admin(&["audit", "log"]).unwrap();
    for step in ["ca.announce", "ca.switch", "ca.finish"] {
        assert!(log.contains(step), "{log}");
    }
    estate.server.admin(&["audit", "verify"]).unwrap();

    // Whoever has all that the key server had before speaks to nobody any more: not to hosts, whom it would tell of mallory, and not
    // to people.
    estate.server.stop().unwrap();
    let ours = thief.path().join("ours");
    fs::rename(estate.server.data(), &ours).unwrap();
    fs::rename(thief.path().join("data"), estate.server.data()).unwrap();
    estate.server.run().unwrap();
    let refused = estate.server.cli(&["whoami"]).unwrap().finish().unwrap();
    assert_eq!(refused.code(), Some(69), "{refused:?}");
    assert!(refused.stderr.contains("--ca-fingerprint"), "{refused:?}");
    estate.logins_are_right(&[&host, &lone]);
    let agent = host.agent().unwrap();
    agent
        .wait_for_line("its CA is none that this host was told of")
        .unwrap();
}

#[test]
fn whoever_was_away_finds_the_way_until_the_exchange_ends_and_is_told_what_to_do_afterwards() {
    let mut estate = Estate::start("keyroster-t5").unwrap();
    let start = |estate: &Estate, name| Host::builder(&estate.server, name, "web").start();
    let mut away = start(&estate, "web-1").unwrap();
    let mut lost = start(&estate, "web-2").unwrap();
    let old_token = estate.server.enrolment_token("web").unwrap();
    let slept = estate.server.data().with_file_name("slept.toml");
    fs::copy(estate.server.cli_config(), &slept).unwrap();
    away.kill_agent().unwrap();
    lost.kill_agent().unwrap();

    estate.step(&["ca"]).unwrap();
    who_is_away_is_named(&estate);
    let new_token = estate.server.enrolment_token("web").unwrap();
    let all = ["--abandon", "web-1", "--abandon", "web-2"];
    estate.step(&[&["switch"], &all[..]].concat()).unwrap();

    // One that knows the old CA alone is led to the new one by the old one's word for it.
    away.start_agent().unwrap();
    away.wait_until_let_in(&estate.account.name, &estate.alice)
        .unwrap();
    let enrol = |name, token: &str| {
        let host = Host::builder(&estate.server, name, "web").token(token);
        host.start().unwrap()
    };
    let early = enrol("web-3", &old_token);
    let between = enrol("web-4", &new_token);
    estate.logins_are_right(&[&away, &early, &between]);
    let unfinished = estate.rotate(&["finish"]).unwrap();
    assert!(unfinished.stderr.contains("web-2"), "{unfinished:?}");
    estate
        .step_when_ready(&["finish", "--abandon", "web-2"])
        .unwrap();
    estate.logins_are_right(&[&away, &early, &between]);

    // What slept through all of it is told what to do.
    lost.start_agent().unwrap();
    let agent = lost.agent().unwrap();
    agent.wait_for_line("enrol the host anew").unwrap();
    who_slept_logs_in_again(&estate, &slept);
    until("the newcomers to be known", PATIENCE, || {
        let status = estate.rotate(&["status"])?.stdout;
        Ok(status
            .contains("do not go by it: 1\n  web-2\n")
            .then_some(()))
    })
    .unwrap();
}

#[test]
fn keys_that_are_in_other_hands_are_not_exchanged_by_half() {
    let estate = Estate::start("keyroster-t6").unwrap();
    for (file, step) in [("ca.key", "ca"), ("snapshot-key", "snapshot-key")] {
        let path = estate.server.data().join(file);
        let aside = path.with_extension("aside");
        fs::rename(&path, &aside).unwrap();
        let refused = estate.rotate(&[step]).unwrap();
        assert_eq!(refused.code(), Some(78), "{refused:?}");
        assert!(refused.stderr.contains("LoadCredential="), "{refused:?}");
        fs::rename(&aside, &path).unwrap();
    }
    assert!(!estate.server.data().join("snapshot-keys.json").exists());
    let status = estate.rotate(&["status"]).unwrap().stdout;
    assert!(
        status.contains("Stage: one snapshot key, one CA"),
        "{status}"
    );
}

/// Characters of `SHA256:` and 43 of base64.
const FINGERPRINT_LENGTH: usize = 50;
const COPY_LIMIT: Duration = Duration::from_secs(30);
