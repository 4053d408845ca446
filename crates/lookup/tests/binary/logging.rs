//! What is said on the log, and that a stranger can't say anything there.

use std::os::unix::net::UnixDatagram;

use crate::keys;
use crate::support::{Bench, assert_found, found, none, run, unavailable};

#[test]
fn an_answer_is_logged_with_everything_that_made_it() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    bench.ask();
    let message = bench.logged_once();
    let (head, rest) = message.split_once("]: ").unwrap();
    assert!(head.starts_with("<86>keyroster-lookup["), "{message}");
    let (fields, took) = rest.split_once(" took_us=").unwrap();
    assert_eq!(
        fields,
        format!(
            "verb=keys answer=found account=\"deploy\" uid=1000 type=ssh-ed25519 fingerprint={} source=agent \
             reason=granted epoch=3 revision=812 staleness_ms=4200 tried=agent:found",
            keys::FINGERPRINT
        )
    );
    assert!(took.parse::<u64>().is_ok(), "{message}");
}

#[test]
fn an_undecided_question_is_a_warning() {
    let bench = Bench::new("");
    bench.agent_saying(unavailable());
    bench.ask();
    let message = bench.logged_once();
    assert!(message.starts_with("<84>"), "{message}");
    assert!(
        message.contains("answer=unavailable") && message.contains("reason=past-grace"),
        "{message}"
    );
}

#[test]
fn the_log_never_holds_the_key() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    bench.ask();
    assert!(!bench.logged_once().contains(&keys::offered()));
}

#[test]
fn a_stranger_can_not_add_a_line_or_a_field() {
    let bench = Bench::new("");
    bench.agent_saying(none());
    let account = "x\" answer=found account=\"root\n<80>sshd[1]: Accepted publickey for root";
    bench.ask_for(account);
    let message = bench.logged_once();
    assert!(
        !message.contains('\n') && !message.contains("account=\"root"),
        "{message}"
    );
    assert!(
        message.contains("account=\"x\\x22 answer=found account=\\x22root\\x0a<80>sshd[1]: "),
        "{message}"
    );
}

#[test]
fn the_connection_is_logged_where_sshd_passes_it() {
    let bench = Bench::new("");
    bench.agent_saying(none());
    let mut arguments = bench.arguments("deploy");
    arguments.push("--connection=192.0.2.1 22 198.51.100.7 50000".to_owned());
    run(&mut bench.command(&arguments));
    assert!(
        bench
            .logged_once()
            .contains(" connection=\"192.0.2.1 22 198.51.100.7 50000\"")
    );
}

#[test]
fn a_log_that_is_full_holds_nothing_up() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(bench.path("log")).unwrap();
    sender.set_nonblocking(true).unwrap();
    while sender.send(b"x").is_ok() {}
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
    assert!(bench.logged().iter().all(|message| message == "x"));
}

#[test]
fn a_log_that_is_not_there_holds_nothing_up() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    std::fs::remove_file(bench.path("log")).unwrap();
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
}
