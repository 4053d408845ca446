//! `lookup-once`: the host without a daemon.

use std::time::Duration;

use crate::support::{Host, found, question, refusal, serving, snapshot};
use keyroster_testkit::{Behaviour, until};
use keyroster_wire::{Reason, Request};

const WAIT: Duration = Duration::from_secs(20);

#[test]
fn every_login_without_a_daemon_asks_however_fresh_the_answer_before_is() {
    let host = Host::new(3600);
    for asked in 1..=3 {
        assert_eq!(host.login_once(), found(Reason::Granted));
        let requests = host.server.requests();
        assert_eq!(requests.len(), asked);
        assert!(requests[asked - 1].contains("keyroster-asks: each-login"));
    }
    let mut revoked = snapshot(11, 3600);
    revoked.accounts.clear();
    host.server.set(serving(&revoked));
    assert_eq!(host.login_once().word, "none", "at once");
}

#[test]
fn a_key_server_out_of_reach_leaves_the_answer_to_the_rules_of_what_is_held() {
    let host = Host::new(3600);
    assert_eq!(host.login_once(), found(Reason::Granted));
    host.server.set(Behaviour::HangUp);
    assert_eq!(host.login_once(), found(Reason::Granted));
}

#[test]
fn a_login_beside_a_daemon_says_that_it_speaks_for_itself_alone() {
    let host = Host::new(3600);
    let daemon = host.start();
    assert_eq!(host.login_once(), found(Reason::Granted));
    let requests = host.server.requests();
    let asked = requests.last().unwrap();
    assert!(asked.contains("keyroster-asks: beside-daemon"), "{asked}");
    drop(daemon);
    assert_eq!(host.login_once(), found(Reason::Granted));
    let asked = host.server.requests().pop().unwrap();
    assert!(asked.contains("keyroster-asks: each-login"), "{asked}");
}

#[test]
fn a_failed_revalidation_is_remembered_so_that_an_outage_costs_one_login_its_second() {
    let host = Host::new(1);
    assert_eq!(host.login_once(), found(Reason::Granted));
    host.server.set(Behaviour::Silent);
    let stale = until("a stale answer", WAIT, || {
        Ok(Some(host.login_once()).filter(|told| told.reason == Reason::GrantedStale))
    });
    assert_eq!(stale.unwrap(), found(Reason::GrantedStale));
    let asked = host.server.requests().len();
    assert_eq!(host.login_once(), found(Reason::GrantedStale));
    assert_eq!(host.server.requests().len(), asked);
}

#[test]
fn an_authoritative_no_is_remembered_and_beats_the_cache() {
    for status in [401, 403, 404, 410] {
        let host = Host::new(1);
        assert_eq!(host.login_once(), found(Reason::Granted));
        host.server.set(Behaviour::status(status));
        until("the refusal", WAIT, || {
            Ok((host.login_once().word == "none").then_some(()))
        })
        .unwrap();
        host.server.set(Behaviour::HangUp);
        assert_eq!(
            host.login_once(),
            refusal("none", Reason::HostRefused),
            "{status}"
        );
    }
}

#[test]
fn a_revocation_ends_the_next_stale_login() {
    let host = Host::new(1);
    assert_eq!(host.login_once(), found(Reason::Granted));
    let mut revoked = snapshot(11, 1);
    revoked.accounts.clear();
    host.server.set(serving(&revoked));
    until("the revocation", WAIT, || {
        Ok((host.login_once().word == "none").then_some(()))
    })
    .unwrap();
    host.server.set(serving(&snapshot(10, 1)));
    assert_eq!(
        host.login_once().word,
        "none",
        "an older snapshot does not bring it back"
    );
}

#[test]
fn a_host_that_is_not_enrolled_is_unavailable() {
    let host = Host::new(3600);
    std::fs::remove_dir_all(host.dir.path().join("state/credential")).unwrap();
    assert_eq!(
        host.login_once(),
        refusal("unavailable", Reason::NotEnrolled)
    );
}

#[test]
fn with_nothing_held_and_no_key_server_the_answer_is_unavailable() {
    let host = Host::new(3600);
    host.server.set(Behaviour::HangUp);
    assert_eq!(
        host.login_once(),
        refusal("unavailable", Reason::NoSnapshot)
    );
}

#[test]
fn what_is_no_request_and_what_is_cut_short_are_told_so() {
    let host = Host::new(3600);
    let whole = Request::Keys(question("deploy")).encode().unwrap();
    for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &whole[..20]] {
        assert_eq!(
            host.once(bytes),
            refusal("unavailable", Reason::BadRequest),
            "{bytes:?}"
        );
    }
}

#[test]
fn a_daemon_and_a_lookup_once_share_one_state_and_its_rules() {
    let host = Host::new(3600);
    let daemon = host.start();
    assert_eq!(host.login(), found(Reason::Granted));
    drop(daemon);
    host.server.set(Behaviour::HangUp);
    assert_eq!(
        host.login_once(),
        found(Reason::Granted),
        "what the daemon kept serves"
    );
}

#[test]
fn spoilt_state_is_not_used_and_not_fatal() {
    for name in ["snapshot", "journal", "confirmed", "high-water", "breaker"] {
        let host = Host::new(3600);
        assert_eq!(host.login_once(), found(Reason::Granted));
        let path = host.dir.path().join("state").join(name);
        std::fs::write(&path, "spoilt").unwrap();
        assert_eq!(
            host.login_once(),
            found(Reason::Granted),
            "{name}: asked anew"
        );
    }
}
