//! A login through Debian's sshd is decided by the key server.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use keyroster_e2e::Host;
use keyroster_testkit::{Account, KeyServer, Postgres, RootDir, SshKey};

/// A key server with the user alice, her key, and the empty host group `web`.
fn with_alice() -> (KeyServer, RootDir, SshKey) {
    let server = KeyServer::start().unwrap();
    let (dir, key) = give_alice_a_key(&server);
    (server, dir, key)
}

fn give_alice_a_key(server: &KeyServer) -> (RootDir, SshKey) {
    let dir = RootDir::new().unwrap();
    let key = SshKey::ed25519(dir.path(), "alice").unwrap();
    server
        .add_user_with_key("alice", &key.public_path())
        .unwrap();
    server.admin(&["host-group", "add", "web"]).unwrap();
    (dir, key)
}

fn grant(server: &KeyServer, account: &str, more: &[&str]) -> String {
    let mut arguments = vec![
        "--json",
        "grant",
        "add",
        "--user",
        "alice",
        "--account",
        account,
        "--host-group",
        "web",
    ];
    arguments.extend(more);
    let said = server.admin(&arguments).unwrap();
    let grant: serde_json::Value = serde_json::from_str(&said).unwrap();
    grant.get("id").unwrap().as_str().unwrap().to_owned()
}

#[test]
fn a_granted_key_logs_in_and_a_revoked_one_does_not() {
    let account = Account::login("keyroster-t1").unwrap();
    let (server, dir, key) = with_alice();
    grant(&server, &account.name, &[]);
    let host = Host::builder(&server, "web-1", "web").start().unwrap();
    let login = host
        .ssh(&account.name, &key)
        .command("id -un")
        .run()
        .unwrap();
    assert_eq!(
        login.stdout,
        "keyroster-t1\n",
        "{login:?}\n{}",
        host.sshd().log()
    );

    let stranger = SshKey::ed25519(dir.path(), "stranger").unwrap();
    assert!(!host.lets_in(&account.name, &stranger).unwrap());
    assert!(
        !host.lets_in("keyroster-t2", &key).unwrap(),
        "no grant for this account"
    );

    server
        .admin(&["key", "revoke", &key.fingerprint().unwrap()])
        .unwrap();
    host.wait_until_refused(&account.name, &key).unwrap();
}

#[test]
fn a_revocation_that_was_waited_for_holds_for_the_very_next_login() {
    let account = Account::login("keyroster-t1").unwrap();
    let (server, _dir, key) = with_alice();
    grant(&server, &account.name, &[]);
    let host = Host::builder(&server, "web-1", "web").start().unwrap();
    assert!(
        host.lets_in(&account.name, &key).unwrap(),
        "{}",
        host.sshd().log()
    );
    let fingerprint = key.fingerprint().unwrap();
    let said = server
        .admin(&["--json", "key", "revoke", &fingerprint, "--wait"])
        .unwrap();
    let receipt: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(receipt["confirmed"][0]["name"], "web-1", "{said}");
    assert!(!host.lets_in(&account.name, &key).unwrap());
}

#[test]
fn the_same_holds_on_postgresql() {
    let account = Account::login("keyroster-t1").unwrap();
    let postgres = Postgres::start().unwrap();
    let server = KeyServer::start_on(&postgres.fresh_database().unwrap()).unwrap();
    let (_dir, key) = give_alice_a_key(&server);
    let id = grant(&server, &account.name, &[]);
    let host = Host::builder(&server, "web-1", "web").start().unwrap();
    assert!(
        host.lets_in(&account.name, &key).unwrap(),
        "{}",
        host.sshd().log()
    );
    server.admin(&["grant", "revoke", &id]).unwrap();
    host.wait_until_refused(&account.name, &key).unwrap();
}

#[test]
fn a_grant_that_is_given_later_is_learnt_and_a_suspension_ends_it() {
    let account = Account::login("keyroster-t1").unwrap();
    let (server, _dir, key) = with_alice();
    let host = Host::builder(&server, "web-1", "web").start().unwrap();
    assert!(!host.lets_in(&account.name, &key).unwrap());
    grant(&server, &account.name, &[]);
    host.wait_until_let_in(&account.name, &key).unwrap();
    server.admin(&["user", "suspend", "alice"]).unwrap();
    host.wait_until_refused(&account.name, &key).unwrap();
    server.admin(&["user", "resume", "alice"]).unwrap();
    host.wait_until_let_in(&account.name, &key).unwrap();
}

#[test]
fn a_forced_command_is_all_that_runs_and_it_has_no_terminal() {
    let account = Account::login("keyroster-t1").unwrap();
    let (server, _dir, key) = with_alice();
    let command = "echo \"forced\" '#1' $((1+1))";
    grant(&server, &account.name, &["--command", command]);
    let host = Host::builder(&server, "web-1", "web").start().unwrap();
    let login = host.ssh(&account.name, &key).command("id");
    let plain = login.run().unwrap();
    assert_eq!(
        plain.stdout,
        "forced #1 2\n",
        "{plain:?}\n{}",
        host.sshd().log()
    );
    let terminal = login.argument("-tt").run().unwrap();
    assert!(
        terminal.stderr.contains("PTY allocation request failed"),
        "{terminal:?}"
    );
}

#[test]
fn a_terminal_is_given_and_forwarding_is_not() {
    let account = Account::login("keyroster-t1").unwrap();
    let (server, _dir, key) = with_alice();
    grant(&server, &account.name, &[]);
    let host = Host::builder(&server, "web-1", "web").start().unwrap();
    let login = host
        .ssh(&account.name, &key)
        .argument("-tt")
        .command("tty")
        .run()
        .unwrap();
    assert!(
        login.stdout.contains("/dev/pts/"),
        "{login:?}\n{}",
        host.sshd().log()
    );
    let forward = format!("127.0.0.1:{}", host.sshd().port());
    let tunnel = host
        .ssh(&account.name, &key)
        .argument("-W")
        .argument(&forward)
        .run()
        .unwrap();
    assert!(
        !tunnel.status.success() && tunnel.stderr.contains("prohibited"),
        "{tunnel:?}"
    );
}

#[test]
fn an_address_from_elsewhere_is_refused_by_sshd() {
    let account = Account::login("keyroster-t1").unwrap();
    let (server, _dir, key) = with_alice();
    let elsewhere = grant(
        &server,
        &account.name,
        &["--from", "192.0.2.0/24", "--from", "2001:db8::/32"],
    );
    let host = Host::builder(&server, "web-1", "web").start().unwrap();
    assert!(!host.lets_in(&account.name, &key).unwrap());
    server.admin(&["grant", "revoke", &elsewhere]).unwrap();
    grant(&server, &account.name, &["--from", "127.0.0.0/8"]);
    host.wait_until_let_in(&account.name, &key).unwrap();
}

#[test]
fn a_grant_that_ends_is_over_on_its_own_even_without_the_key_server() {
    let account = Account::login("keyroster-t1").unwrap();
    let (mut server, _dir, key) = with_alice();
    grant(&server, &account.name, &["--until", "5s"]);
    let host = Host::builder(&server, "web-1", "web").start().unwrap();
    server.kill().unwrap();
    host.wait_until_refused(&account.name, &key).unwrap();
}

#[test]
fn an_account_with_uid_0_needs_a_grant_for_root_whatever_its_name() {
    let (server, _dir, key) = with_alice();
    let host = Host::builder(&server, "web-1", "web")
        .sshd("PermitRootLogin prohibit-password\n")
        .start()
        .unwrap();
    grant(&server, "root", &[]);
    host.wait_until_let_in("root", &key).unwrap();
    let asked = keyroster_testkit::Program::at(&host.dir().join("keyroster-lookup"))
        .user(&Account::service("keyroster-lookup").unwrap())
        .args(["keys", "--user=toor", "--uid=0", "--type=ssh-ed25519"])
        .arg(format!("--key={}", key.parts().1))
        .arg(format!("--fingerprint={}", key.fingerprint().unwrap()))
        .arg(format!("--config={}/lookup.conf", host.dir().display()))
        .finish()
        .unwrap();
    assert!(
        asked.stdout.starts_with("restrict,pty ssh-ed25519 "),
        "{asked:?}"
    );
}

#[test]
fn explain_says_what_sshd_will_do() {
    let account = Account::login("keyroster-t1").unwrap();
    let (server, _dir, key) = with_alice();
    let id = grant(&server, &account.name, &[]);
    let host = Host::builder(&server, "web-1", "web").start().unwrap();
    assert!(host.lets_in(&account.name, &key).unwrap());
    let target = format!("{}@web-1", account.name);
    let said = server
        .admin(&["--json", "explain", &target, "--user", "alice"])
        .unwrap();
    let explained: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(explained["keys"][0]["decision"], "allow", "{said}");
    let line = explained["keys"][0]["line"].as_str().unwrap();
    assert!(line.ends_with(&format!("keyroster:alice:{id}")), "{line}");
}
