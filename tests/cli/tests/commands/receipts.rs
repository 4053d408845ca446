//! `--wait`: a key server that answers with receipts.

use keyroster_cli_snapshots::keys::{ALICE, ALICE_FINGERPRINT};
use keyroster_cli_snapshots::{Cli, enrol, snapshot};
use keyroster_testkit::{Behaviour, CertificateKind, FakeKeyServer, KeyServer, Result, TestCa};

/// A key server that answers every change with this receipt, and somebody who may ask it.
fn answering(receipt: &'static str) -> Result<(FakeKeyServer, Cli)> {
    let ca = TestCa::new()?;
    let behaviour = Behaviour::Answer {
        status: 200,
        headers: vec!["content-type: application/json".to_owned()],
        body: receipt.as_bytes().to_vec(),
    };
    let server = FakeKeyServer::start(&ca, CertificateKind::Good, behaviour)?;
    let mut cli = Cli::new()?;
    let file = cli.file("ca.pem", ca.certificate_pem())?;
    cli.set("KEYROSTER_TOKEN", format!("krt_{}", "A".repeat(43)));
    cli.set("KEYROSTER_SERVER", server.url());
    cli.set("KEYROSTER_CA", file);
    Ok((server, cli))
}

const GRANT: &str = "01934f6e-0000-7000-8000-00000000cafe";

#[test]
fn a_change_that_every_host_holds_is_told_with_how_quickly_it_got_there() {
    let (server, mut cli) = answering(CONFIRMED).unwrap();
    cli.run(&["key", "revoke", ALICE_FINGERPRINT, "--wait"])
        .unwrap();
    cli.run(&["user", "terminate", "alice", "--wait=5s"])
        .unwrap();
    cli.run(&["user", "suspend", "alice", "--wait", "--quiet"])
        .unwrap();
    let lines: Vec<String> = server
        .requests()
        .iter()
        .filter_map(|head| head.lines().next().map(str::to_owned))
        .collect();
    assert!(lines[0].contains("/revoke?wait=confirmed&timeout=1 "));
    assert!(lines[1].contains("/v1/users/alice?wait=confirmed&timeout=1 "));
    snapshot!(cli.transcript());
}

#[test]
fn a_host_that_is_pending_is_named_with_the_end_of_its_patience() {
    let (_server, mut cli) = answering(PENDING).unwrap();
    for more in [None, Some("--quiet"), Some("--json")] {
        let revoke = ["grant", "revoke", GRANT, "--wait=1s"];
        let arguments: Vec<_> = revoke.into_iter().chain(more).collect();
        cli.run(&arguments).unwrap();
    }
    snapshot!(cli.transcript());
}

#[test]
fn a_host_without_the_daemon_stands_apart_in_a_receipt() {
    let (_server, mut cli) = answering(EACH_LOGIN).unwrap();
    cli.run(&["key", "revoke", ALICE_FINGERPRINT, "--wait"])
        .unwrap();
    cli.run(&["audit", "receipt", "42"]).unwrap();
    cli.run(&["audit", "receipt", "42", "--quiet"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_receipt_of_the_key_server_names_the_host_that_never_asked_and_no_other() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["user", "add", "alice"]).unwrap();
    cli.run_with_input(&["key", "add", "alice"], ALICE).unwrap();
    for (group, host) in [("web", "web-1"), ("db", "db-1")] {
        cli.run(&["host-group", "add", group]).unwrap();
        enrol(&server, group, host).unwrap();
    }
    cli.run(&[
        "grant",
        "add",
        "--user",
        "alice",
        "--account",
        "deploy",
        "--host-group",
        "web",
    ])
    .unwrap();
    cli.transcript();
    cli.run(&["key", "revoke", ALICE_FINGERPRINT, "--wait=1s"])
        .unwrap();
    cli.run(&["user", "add", "bob"]).unwrap();
    cli.run(&["user", "suspend", "bob", "--wait"]).unwrap();
    cli.run(&["audit", "receipt", "1"]).unwrap();
    cli.run(&["audit", "receipt", "1000"]).unwrap();
    snapshot!(cli.transcript());
}

const CONFIRMED: &str = r#"{"revision":42,"confirmed":[
    {"host":"01934f6e-0000-7000-8000-000000000001","name":"web-1","after_ms":38},
    {"host":"01934f6e-0000-7000-8000-000000000002","name":"web-2","after_ms":104}],
    "pending":[],"p50_ms":38,"p99_ms":104,"max_ms":104}"#;
const EACH_LOGIN: &str = r#"{"revision":42,"confirmed":[
    {"host":"01934f6e-0000-7000-8000-000000000001","name":"web-1","after_ms":38,"confirmed_at":"2026-11-21T10:32:08Z"}],
    "pending":[],"each_login":[
    {"host":"01934f6e-0000-7000-8000-000000000003","name":"edge-7","ends_by":"2026-11-21T11:32:08Z"}],
    "p50_ms":38,"p99_ms":38,"max_ms":38}"#;
const PENDING: &str = r#"{"revision":42,"confirmed":[
    {"host":"01934f6e-0000-7000-8000-000000000001","name":"web-1","after_ms":38}],
    "pending":[
    {"host":"01934f6e-0000-7000-8000-000000000003","name":"db-7","ends_by":"2026-11-21T11:32:08Z"},
    {"host":"01934f6e-0000-7000-8000-000000000004","name":"db-8","ends_by":null}],
    "p50_ms":38,"p99_ms":38,"max_ms":38}"#;
