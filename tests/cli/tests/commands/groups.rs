use keyroster_cli_snapshots::{Cli, snapshot};
use keyroster_testkit::KeyServer;

#[test]
fn a_group_gains_and_loses_members_and_goes() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["user", "add", "alice"]).unwrap();
    cli.run(&["group", "add", "ops"]).unwrap();
    cli.run(&["group", "add-member", "ops", "alice"]).unwrap();
    cli.run(&["group", "list"]).unwrap();
    cli.run(&["group", "show", "ops"]).unwrap();
    cli.run(&["group", "remove-member", "ops", "alice"])
        .unwrap();
    cli.run(&["group", "show", "ops"]).unwrap();
    cli.run(&["group", "remove", "ops"]).unwrap();
    cli.run(&["group", "list"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn groups_are_told_as_json() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["user", "add", "alice", "--quiet"]).unwrap();
    cli.run(&["group", "add", "ops", "--json"]).unwrap();
    cli.run(&["group", "add-member", "ops", "alice", "--json"])
        .unwrap();
    cli.run(&["group", "list", "--json"]).unwrap();
    cli.run(&["group", "show", "ops", "--json"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn what_a_group_lacks_is_refused_by_name() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["group", "add", "ops"]).unwrap();
    cli.run(&["group", "add", "ops"]).unwrap();
    cli.run(&["group", "add-member", "ops", "nobody"]).unwrap();
    cli.run(&["group", "add-member", "web", "nobody"]).unwrap();
    cli.run(&["group", "remove-member", "ops", "nobody"])
        .unwrap();
    cli.run(&["group", "show", "web"]).unwrap();
    snapshot!(cli.transcript());
}
