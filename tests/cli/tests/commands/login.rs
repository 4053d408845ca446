use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use keyroster_cli_snapshots::{Cli, snapshot};
use keyroster_testkit::KeyServer;

#[test]
fn a_login_keeps_server_ca_and_token_for_its_owner_alone() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::new().unwrap();
    let login = [
        "login",
        "--server",
        &server.url(),
        "--ca-fingerprint",
        server.ca_fingerprint(),
    ];
    let without_pin = login.get(..3).unwrap();
    cli.run_with_input(&login, server.token()).unwrap();
    assert_eq!(
        fs::metadata(cli.config()).unwrap().permissions().mode() & 0o777,
        0o600
    );
    cli.transcript();
    cli.run(&["whoami"]).unwrap();
    // The CA is known now, so that a new token needs nothing else.
    cli.run_with_input(without_pin, server.token()).unwrap();
    cli.run(&["logout"]).unwrap();
    cli.run(&["whoami"]).unwrap();
    cli.run(&["logout"]).unwrap();
    cli.run_with_input(&["login", "--json"], server.token())
        .unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_ca_file_and_a_token_file_serve_as_well() {
    let server = KeyServer::start().unwrap();
    let first = Cli::logged_in(&server).unwrap();
    let config = fs::read_to_string(first.config()).unwrap();
    let pem = config.split("\"\"\"").nth(1).unwrap().trim_start();
    let (ca, token) = (
        first.file("ca.pem", pem).unwrap(),
        first.file("token", server.token()).unwrap(),
    );
    let mut cli = Cli::new().unwrap();
    cli.run(&[
        "login",
        "--server",
        &server.url(),
        "--ca",
        &ca,
        "--token-file",
        &token,
    ])
    .unwrap();
    cli.run(&["whoami"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_wrong_fingerprint_ends_the_login_before_a_token_is_asked_for() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::new().unwrap();
    let wrong = format!("SHA256:{}", "A".repeat(43));
    cli.run_with_input(
        &[
            "login",
            "--server",
            &server.url(),
            "--ca-fingerprint",
            &wrong,
        ],
        "not even a token",
    )
    .unwrap();
    assert!(!cli.config().exists());
    snapshot!(cli.transcript());
}

#[test]
fn what_is_no_token_of_this_server_is_refused_and_nothing_is_kept() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::new().unwrap();
    let url = server.url();
    let login = [
        "login",
        "--server",
        &url,
        "--ca-fingerprint",
        server.ca_fingerprint(),
    ];
    cli.run_with_input(&login, "").unwrap();
    cli.run_with_input(&login, "hunter2").unwrap();
    cli.run_with_input(&login, "kre1.a.b.c").unwrap();
    cli.run_with_input(&login, &format!("krt_{}", "A".repeat(43)))
        .unwrap();
    assert!(!cli.config().exists());
    let transcript = cli.transcript();
    assert!(!transcript.contains("hunter2"));
    snapshot!(transcript);
}
