//! A host without the daemon, and chains of several sources.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::time::Duration;

use keyroster_e2e::Host;
use keyroster_testkit::{Account, KeyServer, RootDir, SshKey, until};
use serde_json::{Value, json};

/// What is known to a key server at once is in the database within this.
const LIMIT: Duration = Duration::from_secs(10);

fn scene() -> (KeyServer, RootDir, SshKey, Account) {
    let account = Account::login("keyroster-t1").unwrap();
    let server = KeyServer::start().unwrap();
    let dir = RootDir::new().unwrap();
    let key = SshKey::ed25519(dir.path(), "alice").unwrap();
    server
        .add_user_with_key("alice", &key.public_path())
        .unwrap();
    server
        .admin(&["host-group", "add", "web", "--max-staleness", "1s"])
        .unwrap();
    let grant = [
        "grant",
        "add",
        "--user",
        "alice",
        "--account",
        &account.name,
        "--host-group",
        "web",
    ];
    server.admin(&grant).unwrap();
    (server, dir, key, account)
}

#[test]
fn a_host_without_the_daemon_logs_in_and_learns_of_changes() {
    let (mut server, _dir, key, account) = scene();
    let host = Host::builder(&server, "web-1", "web")
        .direct()
        .start()
        .unwrap();
    assert!(
        host.lets_in(&account.name, &key).unwrap(),
        "{}",
        host.sshd().log()
    );
    server.kill().unwrap();
    assert!(
        host.lets_in(&account.name, &key).unwrap(),
        "from the snapshot on disk"
    );
    server.run().unwrap();
    server.admin(&["user", "suspend", "alice"]).unwrap();
    host.wait_until_refused(&account.name, &key).unwrap();
}

#[test]
fn a_receipt_sets_a_host_without_the_daemon_apart_until_a_login_has_asked() {
    let (server, _dir, key, account) = scene();
    // However long an answer counts as fresh, the next login asks.
    server
        .admin(&["host-group", "set", "web", "--max-staleness", "1h"])
        .unwrap();
    let host = Host::builder(&server, "web-1", "web")
        .direct()
        .start()
        .unwrap();
    assert!(host.lets_in(&account.name, &key).unwrap());
    let shown = until(
        "the host to be known as one without a daemon",
        LIMIT,
        || {
            let shown = server.admin(&["host", "show", "web-1"])?;
            Ok(shown.contains("at each login").then_some(shown))
        },
    );
    shown.unwrap();
    let suspend = ["user", "suspend", "alice", "--wait=2m", "--json"];
    let suspended = server.cli(&suspend).unwrap().finish().unwrap();
    assert_eq!(suspended.status.code(), Some(75), "{suspended:?}");
    let receipt: Value = serde_json::from_str(&suspended.stdout).unwrap();
    assert_eq!(receipt["pending"], json!([]), "nobody is waited for");
    assert_eq!(receipt["each_login"][0]["name"], "web-1");
    assert!(receipt["each_login"][0]["ends_by"].is_string());
    assert!(
        !host.lets_in(&account.name, &key).unwrap(),
        "{}",
        host.sshd().log()
    );
    // The question of one more login names what the one before has put on the disk.
    assert!(!host.lets_in(&account.name, &key).unwrap());
    let revision = receipt["revision"].to_string();
    let confirmed = until("the login's question to be on record", LIMIT, || {
        let receipt = server.cli(&["audit", "receipt", &revision])?.finish()?;
        Ok(receipt.status.success().then_some(receipt.stdout))
    });
    assert!(confirmed.unwrap().contains("web-1"));
}

#[test]
fn another_providers_command_is_asked_when_the_host_agent_knows_nothing() {
    let (server, dir, key, account) = scene();
    let other = SshKey::ed25519(dir.path(), "other").unwrap();
    let line = format!(
        "command=\"echo from the other provider\",no-pty {} {}",
        "ssh-ed25519",
        other.parts().1
    );
    let provider = dir
        .file(
            "provider",
            format!("#!/bin/sh\nprintf '%s\\n' 'junk line' '{line} with # comment'\n"),
            0o755,
        )
        .unwrap();
    let chain = format!("agent [UNAVAIL=return] command:{}", provider.display());
    let host = Host::builder(&server, "web-1", "web")
        .chain(&chain)
        .start()
        .unwrap();
    assert!(
        host.lets_in(&account.name, &key).unwrap(),
        "{}",
        host.sshd().log()
    );
    let login = host.ssh(&account.name, &other).command("id").run().unwrap();
    assert_eq!(
        login.stdout,
        "from the other provider\n",
        "{login:?}\n{}",
        host.sshd().log()
    );
}
