//! Keys in security keys, from the signature on: a way in by break-glass, its drill, and a grant.
//!
//! What signs is the software authenticator of OpenSSH's own regression tests, which `ssh` asks as it asks a real one.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::path::Path;
use std::time::Duration;

use keyroster_e2e::Host;
use keyroster_testkit::{
    Account, Finished, KeyServer, Program, RootDir, Running, SECURITY_KEY_PROVIDER,
    SecurityKeyType, SshKey, until,
};

/// A key server with a group of hosts, an account, and a key of each type.
struct Scene {
    server: KeyServer,
    account: Account,
    keys: [SshKey; 2],
    dir: RootDir,
}

impl Scene {
    fn new() -> Self {
        let server = KeyServer::start().unwrap();
        server.admin(&["host-group", "add", "web"]).unwrap();
        let dir = RootDir::new().unwrap();
        let keys = SecurityKeyType::ALL
            .map(|kind| SshKey::security_key(dir.path(), &format!("{kind:?}"), kind, &[]).unwrap());
        Self {
            server,
            account: Account::login("keyroster-t1").unwrap(),
            keys,
            dir,
        }
    }

    /// A host whose break-glass file has both keys.
    fn host(&self) -> Host {
        let host = Host::builder(&self.server, "web-1", "web")
            .break_glass()
            .start()
            .unwrap();
        for key in &self.keys {
            let file = key.public_path();
            let add = ["add", &self.account.name, "--file", file.to_str().unwrap()];
            let added = host.break_glass(&add).unwrap().finish().unwrap();
            added.success("add").unwrap();
        }
        host
    }

    fn lets_in(&self, host: &Host, key: &SshKey) -> bool {
        let login = host.ssh(&self.account.name, key).security_key(key);
        login.is_let_in().unwrap()
    }

    fn drill(&self, host: &Host, more: &[&str]) -> Program {
        let config = host.sshd().dir().join("sshd_config");
        let state = self.dir.path().join("state");
        host.break_glass(&["drill", &self.account.name])
            .unwrap()
            .arg("--sshd-config")
            .arg(config)
            .arg("--state")
            .arg(state)
            .args(more)
    }
}

#[test]
fn a_use_with_a_security_key_of_either_type_lets_in_and_is_told_by_its_fingerprint() {
    let scene = Scene::new();
    let host = scene.host();
    for key in &scene.keys {
        assert!(scene.lets_in(&host, key), "{}", host.sshd().log());
        let fingerprint = key.fingerprint().unwrap();
        until("the event of this key", LIMIT, || {
            let log = scene.server.admin(&["audit", "log"])?;
            let told = |line: &str| line.contains("break-glass.use") && line.contains(&fingerprint);
            Ok(log.lines().any(told).then_some(()))
        })
        .unwrap();
    }
}

#[test]
fn a_drill_logs_in_with_a_security_key_if_it_is_told_what_asks_it() {
    let scene = Scene::new();
    let host = scene.host();
    for key in &scene.keys {
        let file = key.private_path().to_str().unwrap();
        let drill = scene.drill(&host, &["--key", file]);
        let drilled = drill
            .env("SSH_SK_PROVIDER", SECURITY_KEY_PROVIDER)
            .finish()
            .unwrap();
        proved(&drilled, key);
        let without = scene.drill(&host, &["--key", file]).finish().unwrap();
        assert_eq!(without.code(), Some(69), "{without:?}");
    }
}

#[test]
fn a_drill_logs_in_with_a_security_key_that_an_ssh_agent_asks() {
    let scene = Scene::new();
    let host = scene.host();
    for (number, key) in scene.keys.iter().enumerate() {
        let socket = scene.dir.path().join(format!("agent{number}"));
        let _agent = ssh_agent_with(&socket, key);
        let drill = scene.drill(&host, &[]).env("SSH_AUTH_SOCK", &socket);
        proved(&drill.finish().unwrap(), key);
    }
}

#[test]
fn a_granted_security_key_of_either_type_logs_in_by_the_lookup() {
    let scene = Scene::new();
    for (user, key) in ["alice", "bob"].into_iter().zip(&scene.keys) {
        let file = key.public_path();
        scene.server.add_user_with_key(user, &file).unwrap();
        let grant = ["grant", "add", "--user", user, "--host-group", "web"];
        let account = ["--account", &scene.account.name];
        scene
            .server
            .admin(&[&grant[..], &account].concat())
            .unwrap();
    }
    let host = Host::builder(&scene.server, "web-1", "web")
        .start()
        .unwrap();
    for key in &scene.keys {
        until("the grant to reach the host", LIMIT, || {
            Ok(scene.lets_in(&host, key).then_some(()))
        })
        .unwrap();
    }
}

#[test]
fn a_security_key_that_nobody_touched_logs_in_only_by_a_grant_that_says_so() {
    let scene = Scene::new();
    let kind = SecurityKeyType::Ed25519;
    let untouched = ["no-touch-required"];
    let key = SshKey::security_key(scene.dir.path(), "untouched", kind, &untouched).unwrap();
    let host = scene.host();
    let file = key.public_path();
    let add = ["add", &scene.account.name, "--file", file.to_str().unwrap()];
    let added = host.break_glass(&add).unwrap().finish().unwrap();
    added.success("add").unwrap();
    assert!(!scene.lets_in(&host, &key));
    assert!(host.sshd().log().contains("user presence"));

    let host = Host::builder(&scene.server, "web-2", "web")
        .start()
        .unwrap();
    scene.server.add_user_with_key("carol", &file).unwrap();
    let grant = ["grant", "add", "--user", "carol", "--host-group", "web"];
    let account = ["--account", &scene.account.name];
    let option = ["--option", "no-touch-required"];
    let grants = [&grant[..], &account, &option].concat();
    scene.server.admin(&grants).unwrap();
    until("the grant to reach the host", LIMIT, || {
        Ok(scene.lets_in(&host, &key).then_some(()))
    })
    .unwrap();
}

fn proved(drilled: &Finished, key: &SshKey) {
    assert_eq!(drilled.code(), Some(0), "{}", drilled.stderr);
    let fingerprint = key.fingerprint().unwrap();
    assert!(drilled.stdout.contains(&fingerprint), "{}", drilled.stdout);
    assert!(drilled.stdout.contains("touch the security key"));
}

/// An ssh-agent that may load what stands in for the hardware, and holds this key.
fn ssh_agent_with(socket: &Path, key: &SshKey) -> Running {
    let agent = Program::at(Path::new("/usr/bin/ssh-agent"))
        .args(["-D", "-P", SECURITY_KEY_PROVIDER, "-a"])
        .arg(socket)
        .spawn()
        .unwrap();
    until("the ssh-agent to listen", LIMIT, || {
        Ok(socket.exists().then_some(()))
    })
    .unwrap();
    let added = Program::at(Path::new("/usr/bin/ssh-add"))
        .args(["-q", "-S", SECURITY_KEY_PROVIDER])
        .arg(key.private_path())
        .env("SSH_AUTH_SOCK", socket)
        .finish()
        .unwrap();
    added.success("ssh-add").unwrap();
    agent
}

/// Ends only a wait that will never succeed.
const LIMIT: Duration = Duration::from_secs(30);
