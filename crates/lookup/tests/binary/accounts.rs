//! Names of accounts that a stranger made up. Each is one field of the request, or a no of its own.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::keys;
use crate::support::{Bench, assert_none, found, keys_question, none, run};

/// The bad account names that are text.
const BAD: [&str; 8] = [
    "-h",
    "--user=root",
    "../../etc/x",
    "a%2fb",
    "DOM\\bob",
    "%s%n",
    "$(reboot)",
    "root\u{202e}",
];

#[test]
fn a_bad_name_reaches_the_host_agent_as_it_is_and_its_no_is_the_answer() {
    let bench = Bench::new("");
    let requests = bench.agent_saying(none());
    let longest = "a".repeat(255);
    for account in BAD.into_iter().chain([longest.as_str()]) {
        assert_none(&bench.ask_for(account));
        let request = requests.recv().unwrap();
        assert_eq!(keys_question(&request).account, account);
    }
}

#[test]
fn a_name_that_nobody_can_be_granted_is_none_without_asking() {
    let bench = Bench::new("");
    let requests = bench.agent_saying(found(&[&keys::line()]));
    for account in ["", "a\nb", "a\rb", "\u{7f}", &"a".repeat(256)] {
        assert_none(&bench.ask_for(account));
        assert!(
            bench.logged_once().contains("reason=impossible-account"),
            "{account:?}"
        );
    }
    assert!(requests.try_recv().is_err());
}

#[test]
fn a_name_that_is_not_utf_8_is_none_and_logged() {
    let bench = Bench::new("");
    let requests = bench.agent_saying(found(&[&keys::line()]));
    let mut command = bench.command(&bench.arguments("deploy")[..1]);
    command
        .arg(OsString::from_vec(b"--user=b\xf6b".to_vec()))
        .args(&bench.arguments("deploy")[2..]);
    assert_none(&run(&mut command));
    assert!(
        bench
            .logged_once()
            .contains("answer=none account=\"b\\xf6b\"")
    );
    assert!(requests.try_recv().is_err());
}

#[test]
fn a_provider_s_command_is_given_no_name_that_could_be_read_as_something_else() {
    let bench = Bench::new("");
    let spool = bench.spool();
    let provider = bench.script("provider", &format!("echo x >>{}/called", spool.display()));
    bench.configure(&format!("authorized_keys: command:{}", provider.display()));
    for account in BAD.into_iter().filter(|account| *account != "DOM\\bob") {
        assert_none(&bench.ask_for(account));
        assert!(
            bench.logged_once().contains("reason=account-unfit"),
            "{account}"
        );
        assert!(!spool.join("called").exists(), "{account}");
    }
    assert_none(&bench.ask_for("DOM\\bob"));
    assert!(spool.join("called").exists());
}
