use keyroster_cli_snapshots::keys::{
    ALICE, ALICE_FINGERPRINT, BOB, BOB_FINGERPRINT, PRIVATE, WEAK,
};
use keyroster_cli_snapshots::{Cli, snapshot};
use keyroster_testkit::{KeyServer, Result};

fn with_users(server: &KeyServer) -> Result<Cli> {
    let mut cli = Cli::logged_in(server)?;
    cli.run(&["user", "add", "alice"])?;
    cli.run(&["user", "add", "bob"])?;
    cli.transcript();
    Ok(cli)
}

#[test]
fn a_key_is_added_from_standard_input_and_from_a_file() {
    let server = KeyServer::start().unwrap();
    let mut cli = with_users(&server).unwrap();
    cli.run_with_input(&["key", "add", "alice"], ALICE).unwrap();
    let file = cli.file("bob.pub", BOB).unwrap();
    cli.run(&[
        "key",
        "add",
        "bob",
        "--file",
        &file,
        "--label",
        "desk",
        "--expires",
        "90d",
    ])
    .unwrap();
    cli.run(&["key", "list"]).unwrap();
    cli.run(&["key", "list", "--user", "bob"]).unwrap();
    cli.run(&["key", "show", ALICE_FINGERPRINT]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn keys_are_told_as_json() {
    let server = KeyServer::start().unwrap();
    let mut cli = with_users(&server).unwrap();
    cli.run_with_input(&["key", "add", "alice", "--json"], ALICE)
        .unwrap();
    cli.run(&["key", "list", "--user", "alice", "--json"])
        .unwrap();
    cli.run(&["key", "revoke", ALICE_FINGERPRINT, "--json"])
        .unwrap();
    cli.run(&["key", "show", ALICE_FINGERPRINT, "--json"])
        .unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_revoked_key_stays_revoked_and_known() {
    let server = KeyServer::start().unwrap();
    let mut cli = with_users(&server).unwrap();
    cli.run_with_input(&["key", "add", "alice"], ALICE).unwrap();
    cli.run(&[
        "key",
        "revoke",
        ALICE_FINGERPRINT,
        "--reason",
        "lost laptop",
    ])
    .unwrap();
    cli.run(&["key", "list"]).unwrap();
    cli.run_with_input(&["key", "add", "alice"], ALICE).unwrap();
    cli.run(&["key", "revoke", BOB_FINGERPRINT]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_private_key_pasted_by_mistake_never_leaves_the_machine() {
    let mut server = KeyServer::start().unwrap();
    let mut cli = with_users(&server).unwrap();
    // With the key server gone, whatever tried to send something would fail differently.
    server.stop().unwrap();
    cli.run_with_input(&["key", "add", "alice"], PRIVATE)
        .unwrap();
    let file = cli.file("id_ed25519", PRIVATE).unwrap();
    cli.run(&["key", "add", "alice", "--file", &file]).unwrap();
    let transcript = cli.transcript();
    assert!(!transcript.contains("U0VDUkVU"));
    snapshot!(transcript);
}

#[test]
fn what_is_no_public_key_is_refused_before_anything_is_sent() {
    let mut server = KeyServer::start().unwrap();
    let mut cli = with_users(&server).unwrap();
    server.stop().unwrap();
    cli.run_with_input(&["key", "add", "alice"], "").unwrap();
    cli.run_with_input(&["key", "add", "alice"], "hello world\n")
        .unwrap();
    cli.run_with_input(&["key", "add", "alice"], &format!("{ALICE}{BOB}"))
        .unwrap();
    cli.run_with_input(&["key", "add", "alice"], &format!("command=\"id\" {ALICE}"))
        .unwrap();
    cli.run_with_input(
        &["key", "add", "alice"],
        &ALICE.replace("laptop", "lap\u{1b}[2Jtop"),
    )
    .unwrap();
    cli.run_with_input(&["key", "add", "alice"], &ALICE.repeat(200))
        .unwrap();
    cli.run(&["key", "add", "alice", "--file", "/nonexistent/id.pub"])
        .unwrap();
    let binary = cli.file("id.der", "").unwrap();
    std::fs::write(&binary, [0x30, 0x82, 0xff]).unwrap();
    cli.run(&["key", "add", "alice", "--file", &binary])
        .unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_key_that_the_policy_or_its_owner_forbids_is_refused_by_the_key_server() {
    let server = KeyServer::start().unwrap();
    let mut cli = with_users(&server).unwrap();
    cli.run_with_input(&["key", "add", "alice"], WEAK).unwrap();
    cli.run_with_input(&["key", "add", "alice"], ALICE).unwrap();
    cli.run_with_input(&["key", "add", "bob"], ALICE).unwrap();
    cli.run_with_input(&["key", "add", "alice"], ALICE).unwrap();
    cli.run_with_input(&["key", "add", "carol"], BOB).unwrap();
    cli.run(&["key", "list", "--user", "carol"]).unwrap();
    snapshot!(cli.transcript());
}
