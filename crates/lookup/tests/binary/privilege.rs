//! Whom the program refuses to run as.

use std::process::Command;

use keyroster_testkit::Finished;

use crate::keys;
use crate::support::{Bench, NOT_PERMITTED, assert_found, found, run};

/// Runs the program through setpriv with these credentials.
fn ask_as(bench: &Bench, credentials: &[&str]) -> Finished {
    let mut command = Command::new("setpriv");
    command
        .args(credentials)
        .args(bench.command(&[]).get_program().to_str());
    run(command.args(bench.arguments("deploy")))
}

#[track_caller]
fn assert_refused(credentials: &[&str], why: &str) {
    let bench = Bench::new("");
    let requests = bench.agent_saying(found(&[&keys::line()]));
    let finished = ask_as(&bench, credentials);
    assert_eq!(
        (finished.code(), finished.stdout.as_str()),
        (NOT_PERMITTED, "")
    );
    assert!(requests.try_recv().is_err());
    let message = bench.logged_once();
    assert!(
        message.starts_with("<83>keyroster-lookup[") && message.contains(why),
        "{message}"
    );
}

#[test]
fn root_is_refused() {
    assert_refused(&["--clear-groups"], "refusing to run with root");
    assert_refused(
        &["--ruid=65534", "--regid=65534", "--clear-groups"],
        "refusing to run with root",
    );
}

#[test]
fn groups_beyond_the_user_s_own_are_refused() {
    let user = ["--reuid=65534", "--regid=65534"];
    assert_refused(&[user[0], user[1], "--groups=4"], "groups beyond");
    assert_refused(&[user[0], user[1], "--groups=65534,4"], "groups beyond");
    assert_refused(
        &[user[0], user[1], "--groups=1,2,3,4,5,6,7,8"],
        "groups beyond",
    );
}

#[test]
fn the_user_s_own_group_may_stand_among_its_groups() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    let finished = ask_as(
        &bench,
        &["--reuid=65534", "--regid=65534", "--groups=65534"],
    );
    assert_found(&finished, &format!("{}\n", keys::line()));
}
