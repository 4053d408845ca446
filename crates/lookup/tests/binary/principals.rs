//! The principals command, through the same sources.

use keyroster_testkit::Finished;
use keyroster_wire::Request;

use crate::keys;
use crate::support::{Bench, OK, assert_found, assert_none, assert_unavailable, found, none, run};

/// Runs `principals` for the test's certificate, with these arguments besides.
fn ask(bench: &Bench, extra: &[&str]) -> Finished {
    let mut arguments = bench.arguments("deploy");
    arguments[0] = "principals".to_owned();
    arguments[3] = "--type=ssh-ed25519-cert-v01@openssh.com".to_owned();
    arguments[4] = format!("--key={}", keys::certificate());
    arguments.extend(extra.iter().map(|argument| (*argument).to_owned()));
    run(&mut bench.command(&arguments))
}

const EVERY: [&str; 5] = [
    "--key-id=--user=root \"x\" $(id)\n",
    "--serial=18446744073709551615",
    "--ca-fingerprint=SHA256:y",
    "--ca-type=ssh-ed25519",
    "--ca-key=AAAA",
];

#[test]
fn principals_are_asked_for_with_the_whole_certificate_and_printed() {
    let bench = Bench::new("");
    let requests = bench.agent_saying(found(&["deploy", "no-pty ops@example.com"]));
    assert_found(&ask(&bench, &EVERY), "deploy\nno-pty ops@example.com\n");
    let request = requests.recv().unwrap();
    let Ok(Request::Principals(question)) = Request::decode(&request) else {
        panic!("{request:?}")
    };
    assert_eq!(question.key_base64, keys::certificate());
    let message = bench.logged_once();
    assert!(
        message.contains("key_id=\"--user=root \\x22x\\x22 $(id)\\x0a\""),
        "{message}"
    );
    assert!(
        message.contains("serial=\"18446744073709551615\" ca=\"SHA256:y\""),
        "{message}"
    );
}

#[test]
fn no_principals_are_none() {
    let bench = Bench::new("");
    bench.agent_saying(none());
    assert_none(&ask(&bench, &[]));
}

#[test]
fn a_line_that_is_no_principal_makes_the_whole_answer_unavailable() {
    for line in [
        "deploy,root",
        "# deploy",
        "cert-authority deploy",
        "bogus deploy",
        " ",
    ] {
        let bench = Bench::new("");
        bench.agent_saying(found(&["deploy", line]));
        assert_unavailable(&ask(&bench, &[]));
    }
}

#[test]
fn a_plain_key_has_no_principals() {
    let bench = Bench::new("");
    let requests = bench.agent_saying(found(&["deploy"]));
    let mut arguments = bench.arguments("deploy");
    arguments[0] = "principals".to_owned();
    assert_none(&run(&mut bench.command(&arguments)));
    assert!(requests.try_recv().is_err());
}

#[test]
fn the_two_commands_have_sources_of_their_own() {
    let bench = Bench::new("");
    let program = bench.script("provider", "printf 'alice # on call\\nbad,name\\n'");
    bench.agent_saying(none());
    bench.configure(&format!(
        "authorized_keys: agent\nprincipals: command:{}",
        program.display()
    ));
    assert_none(&bench.ask());
    let finished = ask(&bench, &[]);
    assert_eq!((finished.code(), finished.stdout.as_str()), (OK, "alice\n"));
    assert!(bench.logged()[1].contains("skipped_lines=1"));
}
