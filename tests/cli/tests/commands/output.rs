use keyroster_cli_snapshots::{Cli, snapshot};
use keyroster_testkit::{Behaviour, CertificateKind, FakeKeyServer, KeyServer, TestCa};

#[test]
fn quiet_says_nothing_but_what_was_asked_for() {
    let server = KeyServer::start().unwrap();
    let mut cli = Cli::logged_in(&server).unwrap();
    cli.run(&["--quiet", "user", "add", "alice"]).unwrap();
    cli.run(&["user", "add", "bob", "-q"]).unwrap();
    cli.run(&["user", "list", "-q"]).unwrap();
    cli.run(&["user", "show", "alice", "-q"]).unwrap();
    cli.run(&["user", "show", "carol", "-q"]).unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn a_list_of_several_pages_is_told_whole() {
    let ca = TestCa::new().unwrap();
    let page = |name: &str, next: &str| {
        let user = format!(
            r#"{{"name":"{name}","kind":"person","owner":null,"state":"active","created_at":"2026-11-21T09:00:00Z"}}"#
        );
        Behaviour::Answer {
            status: 200,
            headers: vec!["content-type: application/json".to_owned()],
            body: format!(r#"{{"items":[{user}],"next_cursor":{next}}}"#).into_bytes(),
        }
    };
    let server =
        FakeKeyServer::with_identity(ca.issue(CertificateKind::Good).unwrap(), move |request| {
            match request.lines().next().unwrap_or_default() {
                line if line.contains("cursor=one%26two") => page("bob", "\"three\""),
                line if line.contains("cursor=three") => page("carol", "null"),
                _ => page("alice", "\"one&two\""),
            }
        })
        .unwrap();
    let mut cli = Cli::new().unwrap();
    let ca = cli.file("ca.pem", ca.certificate_pem()).unwrap();
    cli.set("KEYROSTER_TOKEN", format!("krt_{}", "A".repeat(43)));
    cli.run(&["user", "list", "--server", &server.url(), "--ca", &ca])
        .unwrap();
    cli.run(&[
        "user",
        "list",
        "-q",
        "--json",
        "--server",
        &server.url(),
        "--ca",
        &ca,
    ])
    .unwrap();
    snapshot!(cli.transcript());
}

#[test]
fn completions_name_every_command() {
    let mut cli = Cli::new().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = cli.run(&["completions", shell]).unwrap();
        for word in ["enroll-token", "host-group", "ca-fingerprint", "explain"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}
