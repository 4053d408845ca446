use keyroster_cli_snapshots::{Cli, enrol, snapshot};
use keyroster_testkit::KeyServer;

#[test]
fn an_enrolment_token_stands_alone_on_standard_output() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["host-group", "add", "web"]).unwrap();
    let printed = cli
        .run(&["host", "enroll-token", "--group", "web"])
        .unwrap();
    assert_eq!(printed.lines().count(), 1);
    cli.run(&[
        "host",
        "enroll-token",
        "--group",
        "web",
        "--ttl",
        "10m",
        "--quiet",
    ])
    .unwrap();
    cli.run(&["host", "enroll-token", "--group", "web", "--json"])
        .unwrap();
    cli.run(&["host", "enroll-token", "--group", "db"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_host_is_listed_shown_and_removed() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["host", "list"]).unwrap();
    cli.run(&["host-group", "add", "web"]).unwrap();
    enrol(&server, "web", "web-1").unwrap();
    cli.run(&["host", "list"]).unwrap();
    cli.run(&["host", "list-enroll-tokens"]).unwrap();
    cli.run(&["host", "show", "web-1"]).unwrap();
    cli.run(&["host", "show", "web-1", "--json"]).unwrap();
    cli.run(&["host", "remove", "web-1"]).unwrap();
    cli.run(&["host", "list"]).unwrap();
    cli.run(&["host", "remove", "web-1"]).unwrap();
    cli.run(&["host", "show", "web-2"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_host_group_keeps_its_hosts_and_its_bounds_on_staleness() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["host-group", "add", "web"]).unwrap();
    cli.run(&[
        "host-group",
        "add",
        "vault",
        "--max-staleness",
        "5s",
        "--grace",
        "10m",
        "--strict",
        "--end-sessions",
    ])
    .unwrap();
    enrol(&server, "web", "web-1").unwrap();
    cli.run(&["host-group", "add-host", "vault", "web-1"])
        .unwrap();
    cli.run(&["host-group", "list"]).unwrap();
    cli.run(&["host-group", "show", "vault"]).unwrap();
    cli.run(&["host-group", "show", "vault", "--json"]).unwrap();
    cli.run(&["host-group", "remove-host", "vault", "web-1"])
        .unwrap();
    cli.run(&["host-group", "remove", "vault"]).unwrap();
    cli.run(&["host-group", "list", "--json"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn the_bounds_of_a_host_group_are_changed_one_by_one() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["host-group", "add", "web"]).unwrap();
    enrol(&server, "web", "web-1").unwrap();
    let set = |more: &[&'static str]| [&["host-group", "set", "web"], more].concat();
    cli.run(&set(&["--grace", "10m"])).unwrap();
    cli.run(&set(&[
        "--max-staleness",
        "5s",
        "--mode",
        "strict",
        "--json",
    ]))
    .unwrap();
    cli.run(&["host-group", "show", "web"]).unwrap();
    cli.run(&set(&["--mode", "grace", "--wait=1s"])).unwrap();
    cli.run(&set(&["--end-sessions", "yes"])).unwrap();
    cli.run(&set(&[])).unwrap();
    cli.run(&set(&["--wait"])).unwrap();
    cli.run(&set(&["--grace", "8d"])).unwrap();
    cli.run(&["host-group", "set", "db", "--grace", "1h"])
        .unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn what_a_host_group_lacks_or_cannot_have_is_refused() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["host-group", "add", "web", "--max-staleness", "2h"])
        .unwrap();
    cli.run(&["host-group", "add", "web", "--grace", "8d"])
        .unwrap();
    cli.run(&["host-group", "add", "web"]).unwrap();
    cli.run(&["host-group", "add", "web"]).unwrap();
    cli.run(&["host-group", "add-host", "web", "web-9"])
        .unwrap();
    cli.run(&["host-group", "show", "db"]).unwrap();
    snapshot!(cli.transcript());
}
