use keyroster_cli_snapshots::{Cli, snapshot};
use keyroster_testkit::KeyServer;

#[test]
fn a_user_is_added_listed_and_shown() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["user", "list"]).unwrap();
    cli.run(&["user", "add", "alice"]).unwrap();
    cli.run(&["user", "add", "build-bot", "--owner", "alice"])
        .unwrap();
    cli.run(&["user", "list"]).unwrap();
    cli.run(&["user", "show", "build-bot"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn users_are_told_as_json() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["--json", "user", "list"]).unwrap();
    cli.run(&["user", "add", "alice", "--json"]).unwrap();
    cli.run(&["user", "list", "--json"]).unwrap();
    cli.run(&["user", "show", "alice", "--json"]).unwrap();
    cli.run(&["user", "suspend", "alice", "--json"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_user_is_suspended_resumed_and_terminated_with_a_reason() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["user", "add", "alice"]).unwrap();
    cli.run(&["user", "suspend", "alice", "--reason", "lost laptop"])
        .unwrap();
    cli.run(&["user", "show", "alice"]).unwrap();
    cli.run(&["user", "resume", "alice"]).unwrap();
    cli.run(&["user", "terminate", "alice", "--reason", "left"])
        .unwrap();
    cli.run(&["user", "resume", "alice"]).unwrap();
    cli.run(&["audit", "log", "--limit", "3"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_user_that_exists_or_does_not_is_refused_by_name() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["user", "add", "alice"]).unwrap();
    cli.run(&["user", "add", "alice"]).unwrap();
    cli.run(&["user", "show", "bob"]).unwrap();
    cli.run(&["user", "suspend", "bob"]).unwrap();
    cli.run(&["user", "add", "bot", "--owner", "bob"]).unwrap();
    snapshot!(cli.transcript());
}
