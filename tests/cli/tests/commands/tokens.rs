use keyroster_cli_snapshots::{Cli, snapshot};
use keyroster_testkit::KeyServer;

#[test]
fn a_token_is_shown_once_and_does_what_its_role_allows() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    let token = cli
        .run(&[
            "token",
            "add",
            "watch",
            "--role",
            "auditor",
            "--expires",
            "30d",
        ])
        .unwrap();
    cli.run(&["token", "add", "ci", "--role", "officer", "--json"])
        .unwrap();
    cli.set("KEYROSTER_TOKEN", token.trim_end());
    cli.run(&["whoami"]).unwrap();
    cli.run(&["whoami", "--json"]).unwrap();
    cli.run(&["user", "list"]).unwrap();
    cli.run(&["user", "add", "alice"]).unwrap();
    cli.run(&["token", "add", "more", "--role", "admin"])
        .unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_token_of_the_same_name_or_in_the_past_is_refused() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["token", "add", "ci", "--role", "officer"])
        .unwrap();
    cli.run(&["token", "add", "ci", "--role", "officer"])
        .unwrap();
    cli.run(&[
        "token",
        "add",
        "other",
        "--role",
        "officer",
        "--expires",
        "2020-01-01T00:00:00Z",
    ])
    .unwrap();
    cli.run(&["token", "add", "bad name", "--role", "officer"])
        .unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_revoked_token_is_listed_and_lets_nobody_in() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    let token = cli
        .run(&["token", "add", "ci", "--role", "officer"])
        .unwrap();
    cli.run(&["token", "list"]).unwrap();
    cli.run(&["token", "revoke", "ci"]).unwrap();
    cli.run(&["token", "list", "--json"]).unwrap();
    cli.run(&["token", "revoke", "nobody"]).unwrap();
    cli.run(&["token", "revoke", ""]).unwrap();
    cli.set("KEYROSTER_TOKEN", token.trim_end());
    cli.run(&["whoami"]).unwrap();
    snapshot!(cli.transcript());
}
