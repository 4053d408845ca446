use keyroster_cli_snapshots::{Cli, enrol, snapshot};
use keyroster_testkit::{KeyServer, Result};

fn with_everything(server: &KeyServer) -> Result<Cli> {
    let mut cli = Cli::logged_in(server)?;
    cli.run(&["user", "add", "alice"])?;
    cli.run(&["group", "add", "ops"])?;
    cli.run(&["host-group", "add", "web"])?;
    enrol(server, "web", "web-1")?;
    cli.transcript();
    Ok(cli)
}

/// The id of the grant that was added last: the last word of what confirms it.
fn id_of(confirmation: &str) -> &str {
    confirmation
        .trim_end()
        .rsplit(' ')
        .next()
        .unwrap_or_default()
}

#[test]
fn a_grant_with_every_part_is_added_shown_and_revoked() {
    let server = KeyServer::start().unwrap();
    let mut cli = with_everything(&server).unwrap();
    let all = [
        "grant",
        "add",
        "--group",
        "ops",
        "--account",
        "deploy",
        "--host-group",
        "web",
        "--from",
        "10.0.0.0/8",
        "--from",
        "2001:db8::/32",
        "--command",
        "/usr/bin/deploy --all",
        "--option",
        "port-forwarding",
        "--option",
        "permitopen=\"db:5432\"",
        "--not-before",
        "1h",
        "--until",
        "90d",
        "--reason",
        "ticket 4711",
    ];
    let confirmation = cli.run(&all).unwrap();
    let id = id_of(&confirmation);
    cli.run(&["grant", "show", id]).unwrap();
    cli.run(&["grant", "show", id, "--json"]).unwrap();
    cli.run(&["grant", "revoke", id, "--reason", "done"])
        .unwrap();
    cli.run(&["grant", "show", id]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn grants_are_listed_with_the_names_of_their_hosts() {
    let server = KeyServer::start().unwrap();
    let mut cli = with_everything(&server).unwrap();
    cli.run(&[
        "grant",
        "add",
        "--user",
        "alice",
        "--account",
        "deploy",
        "--host",
        "web-1",
    ])
    .unwrap();
    cli.run(&[
        "grant",
        "add",
        "--group",
        "ops",
        "--account",
        "root",
        "--host-group",
        "web",
        "--deny",
    ])
    .unwrap();
    cli.run(&["grant", "list"]).unwrap();
    cli.run(&["grant", "list", "--json"]).unwrap();
    cli.run(&["group", "remove", "ops"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_grant_with_a_part_that_cannot_be_is_refused_with_the_rule() {
    let server = KeyServer::start().unwrap();
    let mut cli = with_everything(&server).unwrap();
    let mut add = |more: &[&str]| {
        let mut all = vec![
            "grant",
            "add",
            "--user",
            "alice",
            "--account",
            "deploy",
            "--host-group",
            "web",
        ];
        all.extend(more);
        cli.run(&all).unwrap();
    };
    add(&["--option", "cert-authority"]);
    add(&["--option", "no-such-option"]);
    add(&["--option", "pty\nssh-ed25519 AAAA"]);
    add(&["--from", "10.0.0.1/8"]);
    add(&["--from", "everywhere"]);
    add(&["--command", "a\u{1b}b"]);
    add(&["--not-before", "2h", "--until", "1h"]);
    cli.run(&[
        "grant",
        "add",
        "--user",
        "bob",
        "--account",
        "deploy",
        "--host-group",
        "web",
    ])
    .unwrap();
    cli.run(&[
        "grant",
        "add",
        "--user",
        "alice",
        "--account",
        "deploy",
        "--host",
        "web-9",
    ])
    .unwrap();
    cli.run(&["grant", "revoke", "01939e8a-7c3f-7b1e-9d55-0123456789ab"])
        .unwrap();
    cli.run(&["grant", "list"]).unwrap();
    snapshot!(cli.transcript());
}
