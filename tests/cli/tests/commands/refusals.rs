//! Answers that a sound key server never sends.

use keyroster_cli_snapshots::{Cli, snapshot};
use keyroster_testkit::{Behaviour, CertificateKind, FakeKeyServer, KeyServer, Result, TestCa};

/// Lists the users of a key server that behaves like this.
fn users_of(cli: &mut Cli, kind: CertificateKind, behaviour: Behaviour) -> Result {
    let ca = TestCa::new()?;
    let server = FakeKeyServer::start(&ca, kind, behaviour)?;
    let ca = cli.file("ca.pem", ca.certificate_pem())?;
    let token = cli.file("token", &format!("krt_{}", "A".repeat(43)))?;
    cli.run(&[
        "user",
        "list",
        "--server",
        &server.url(),
        "--ca",
        &ca,
        "--token-file",
        &token,
    ])?;
    Ok(())
}

#[test]
fn a_server_that_cannot_be_believed_is_not() {
    let mut cli = Cli::new().unwrap();
    for kind in [
        CertificateKind::Expired,
        CertificateKind::NotYetValid,
        CertificateKind::WrongName,
        CertificateKind::ForeignCa,
        CertificateKind::SelfSigned,
    ] {
        users_of(&mut cli, kind, Behaviour::status(200)).unwrap();
    }
    snapshot!(cli.transcript());
}

#[test]
fn an_answer_that_is_none_is_named_and_never_shown() {
    let mut cli = Cli::new().unwrap();
    for behaviour in [
        Behaviour::Html,
        Behaviour::Redirect("https://elsewhere.example/".to_owned()),
        Behaviour::TenGibibytes,
        Behaviour::Endless,
        Behaviour::Truncated(b"[".to_vec()),
        Behaviour::HangUp,
        Behaviour::Garbage,
        Behaviour::status(503),
        Behaviour::status(401),
    ] {
        users_of(&mut cli, CertificateKind::Good, behaviour).unwrap();
    }
    snapshot!(cli.transcript());
}

#[test]
fn a_problem_cannot_write_to_the_terminal() {
    let mut cli = Cli::new().unwrap();
    let json = r#"{"type":"urn:keyroster:problem:conflict","title":"t","status":409,
        "detail":"gone\u001b[2J\nhint: run this","hint":"\u202eevil"}"#;
    users_of(
        &mut cli,
        CertificateKind::Good,
        Behaviour::problem(409, json),
    )
    .unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_user_cannot_write_to_the_terminal_either() {
    let mut cli = Cli::new().unwrap();
    let json = r#"{"items":[{"name":"a\u001b]0;x\u0007","kind":"person","owner":null,"state":"act\u009bive",
        "created_at":"2026-11-21T09:00:00Z"}],"next_cursor":null}"#;
    let answer = Behaviour::Answer {
        status: 200,
        headers: vec!["content-type: application/json".to_owned()],
        body: json.as_bytes().to_vec(),
    };
    users_of(&mut cli, CertificateKind::Good, answer).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_list_that_does_not_go_on_ends() {
    let mut cli = Cli::new().unwrap();
    let answer = Behaviour::Answer {
        status: 200,
        headers: vec!["content-type: application/json".to_owned()],
        body: br#"{"items":[],"next_cursor":"again"}"#.to_vec(),
    };
    users_of(&mut cli, CertificateKind::Good, answer).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_key_server_that_is_down_is_told_apart_from_one_that_refuses() {
    let mut server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    server.stop().unwrap();
    cli.run(&["user", "list"]).unwrap();
    cli.run(&["user", "list", "--json"]).unwrap();
    snapshot!(cli.transcript());
}
