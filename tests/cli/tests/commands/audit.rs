use keyroster_cli_snapshots::{Cli, snapshot};
use keyroster_testkit::{
    Behaviour, CertificateKind, Failure, FakeKeyServer, KeyServer, Result, TestCa,
};
use serde_json::{Value, json};

#[test]
fn the_audit_log_shows_the_newest_events_last() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    for user in ["alice", "bob", "carol"] {
        cli.run(&["user", "add", user, "--quiet"]).unwrap();
    }
    cli.run(&["audit", "log", "--limit", "2"]).unwrap();
    cli.run(&["audit", "log", "--limit", "1", "--json"])
        .unwrap();
    cli.run(&["audit", "log", "--since", "1h", "--limit", "1"])
        .unwrap();
    cli.run(&["audit", "log", "--since", "2100-01-01T00:00:00Z"])
        .unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn an_audit_log_as_it_was_written_is_sound() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["user", "add", "alice"]).unwrap();
    cli.run(&["audit", "verify"]).unwrap();
    cli.run(&["audit", "verify", "--json"]).unwrap();
    snapshot!(cli.transcript());
}

/// A log of several events and its head, as the key server tells them.
fn real_log() -> Result<(Value, Value)> {
    let server = KeyServer::start()?;
    let mut cli = Cli::logged_in(&server)?;
    for user in ["alice", "bob", "carol"] {
        cli.run(&["user", "add", user])?;
    }
    let printed = cli.run(&["audit", "log", "--json"])?;
    let events: Value =
        serde_json::from_str(&printed).map_err(|error| Failure::new(error.to_string()))?;
    let last = events
        .as_array()
        .and_then(|events| events.last())
        .cloned()
        .unwrap_or_default();
    let head = json!({"sequence": last.get("sequence"), "hash": last.get("hash")});
    Ok((events, head))
}

/// What `audit verify` says of a key server that tells this log.
fn verify(cli: &mut Cli, events: &Value, head: &Value) -> Result {
    let ca = TestCa::new()?;
    let page = json!({"items": events, "next_cursor": null}).to_string();
    let head = head.to_string();
    let answer = |body: &str| Behaviour::Answer {
        status: 200,
        headers: vec!["content-type: application/json".to_owned()],
        body: body.as_bytes().to_vec(),
    };
    let choose = move |request: &str| match request.contains("/v1/audit/head") {
        true => answer(&head),
        false => answer(&page),
    };
    let server = FakeKeyServer::with_identity(ca.issue(CertificateKind::Good)?, choose)?;
    let ca = cli.file("ca.pem", ca.certificate_pem())?;
    let token = cli.file("token", &format!("krt_{}", "A".repeat(43)))?;
    cli.run(&[
        "audit",
        "verify",
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
fn an_audit_log_that_was_tampered_with_is_found_out() {
    let (events, head) = real_log().unwrap();
    let mut cli = Cli::new().unwrap();
    verify(&mut cli, &events, &head).unwrap();

    let mut changed = events.clone();
    changed[1]["object"] = "mallory".into();
    verify(&mut cli, &changed, &head).unwrap();

    let mut removed = events.clone();
    removed.as_array_mut().unwrap().remove(1);
    verify(&mut cli, &removed, &head).unwrap();

    let mut truncated = events.clone();
    truncated.as_array_mut().unwrap().pop();
    verify(&mut cli, &truncated, &head).unwrap();

    let mut unlinked = events.clone();
    unlinked[1]["previous_hash"] = "0".repeat(64).into();
    verify(&mut cli, &unlinked, &head).unwrap();

    let mut unreadable = events.clone();
    unreadable[0]["hash"] = "\u{1b}[2J".into();
    verify(&mut cli, &unreadable, &head).unwrap();
    snapshot!(cli.transcript());
}
