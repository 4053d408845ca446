use keyroster_cli_snapshots::keys::{ALICE, ALICE_FINGERPRINT, BOB, BOB_FINGERPRINT};
use keyroster_cli_snapshots::{Cli, enrol, snapshot};
use keyroster_testkit::{KeyServer, Result};

fn with_a_grant(server: &KeyServer) -> Result<Cli> {
    let mut cli = Cli::logged_in(server)?;
    cli.run(&["user", "add", "alice"])?;
    cli.run(&["user", "add", "bob"])?;
    cli.run_with_input(&["key", "add", "alice"], ALICE)?;
    cli.run_with_input(&["key", "add", "bob"], BOB)?;
    cli.run(&["host-group", "add", "web"])?;
    enrol(server, "web", "web-1")?;
    cli.run(&[
        "grant",
        "add",
        "--user",
        "alice",
        "--account",
        "deploy",
        "--host-group",
        "web",
    ])?;
    cli.transcript();
    Ok(cli)
}

#[test]
fn whoever_may_log_in_is_told_with_line_and_reasons() {
    let server = KeyServer::start().unwrap();
    let mut cli = with_a_grant(&server).unwrap();
    cli.run(&["explain", "deploy@web-1"]).unwrap();
    cli.run(&["explain", "deploy@web-1", "--user", "alice"])
        .unwrap();
    cli.run(&[
        "explain",
        "deploy@web-1",
        "--key",
        ALICE_FINGERPRINT,
        "--json",
    ])
    .unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn whoever_may_not_is_told_why() {
    let server = KeyServer::start().unwrap();
    let mut cli = with_a_grant(&server).unwrap();
    cli.run(&["explain", "deploy@web-1", "--key", BOB_FINGERPRINT])
        .unwrap();
    cli.run(&["explain", "root@web-1", "--user", "alice"])
        .unwrap();
    cli.run(&["key", "revoke", ALICE_FINGERPRINT]).unwrap();
    cli.run(&["explain", "deploy@web-1", "--user", "alice"])
        .unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_host_and_a_user_that_do_not_exist_are_named() {
    let server = KeyServer::start().unwrap();
    let mut cli = with_a_grant(&server).unwrap();
    cli.run(&["explain", "deploy@web-9"]).unwrap();
    cli.run(&["explain", "deploy@web-1", "--user", "carol"])
        .unwrap();
    snapshot!(cli.transcript());
}
