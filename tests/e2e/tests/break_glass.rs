//! The way in that asks nobody, from the key that an administrator adds to the event that says it was used.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::time::Duration;

use keyroster_e2e::Host;
use keyroster_testkit::{Account, KeyServer, Program, RootDir, SshKey, until};

/// A key server, and the key of an account's break-glass file: an ordinary one. Those in security keys are in `security_keys.rs`.
struct Scene {
    server: KeyServer,
    account: Account,
    glass: SshKey,
    dir: RootDir,
}

impl Scene {
    fn new() -> Self {
        let server = KeyServer::start().unwrap();
        server.admin(&["host-group", "add", "web"]).unwrap();
        let dir = RootDir::new().unwrap();
        Self {
            server,
            account: Account::login("keyroster-t1").unwrap(),
            glass: SshKey::ed25519(dir.path(), "glass").unwrap(),
            dir,
        }
    }

    /// A host on which the account has the key.
    fn host(&self) -> Host {
        self.host_with("")
    }

    /// The same, with these lines before the others in sshd's configuration.
    fn host_with(&self, lines: &str) -> Host {
        let host = Host::builder(&self.server, "web-1", "web")
            .sshd(lines)
            .break_glass()
            .start()
            .unwrap();
        let file = self.glass.public_path();
        let add = [
            "add",
            &self.account.name,
            "--any-key",
            "--file",
            file.to_str().unwrap(),
        ];
        host.break_glass(&add)
            .unwrap()
            .finish()
            .unwrap()
            .success("add")
            .unwrap();
        host
    }

    fn lets_in(&self, host: &Host) -> bool {
        host.lets_in(&self.account.name, &self.glass).unwrap()
    }

    /// How many events there are of this kind.
    fn events(&self, action: &str) -> usize {
        let log = self.server.admin(&["audit", "log"]).unwrap();
        log.lines().filter(|line| line.contains(action)).count()
    }

    fn wait_for_event(&self, action: &str) {
        until(&format!("the event {action}"), LIMIT, || {
            Ok((self.events(action) > 0).then_some(()))
        })
        .unwrap();
    }

    fn drill(&self, host: &Host, more: &[&str]) -> Program {
        let config = host.sshd().dir().join("sshd_config");
        let state = self.dir.path().join("state");
        let drill = [
            "drill",
            &self.account.name,
            "--sshd-config",
            config.to_str().unwrap(),
            "--state",
            state.to_str().unwrap(),
        ];
        host.break_glass(&[&drill, more].concat()).unwrap()
    }
}

#[test]
fn a_use_becomes_one_event_and_is_shown_at_its_host() {
    let scene = Scene::new();
    let host = scene.host();
    assert!(scene.lets_in(&host));
    scene.wait_for_event("break-glass.use");
    let shown = scene.server.admin(&["host", "show", "web-1"]).unwrap();
    let used = shown
        .lines()
        .find(|line| line.contains("break-glass used"))
        .unwrap();
    let key = scene.glass.fingerprint().unwrap().to_string();
    assert!(
        used.contains(&scene.account.name) && used.contains(&key),
        "{shown}"
    );
    until("the report to be forgotten", LIMIT, || {
        Ok(host.reports().is_empty().then_some(()))
    })
    .unwrap();
    assert_eq!(scene.events("break-glass.use"), 1);
    scene.server.admin(&["audit", "verify"]).unwrap();
}

#[test]
fn a_use_while_everything_is_down_is_told_once_when_the_key_server_is_back() {
    let mut scene = Scene::new();
    let mut host = scene.host();
    scene.server.kill().unwrap();
    host.kill_agent().unwrap();
    host.kill_sessions().unwrap();
    assert!(scene.lets_in(&host));
    until("the report on disk", LIMIT, || {
        let on_disk = |path: &std::path::PathBuf| path.starts_with(host.dir().join("spool"));
        Ok((host.reports().len() == 1 && host.reports().iter().all(on_disk)).then_some(()))
    })
    .unwrap();
    // Neither of them loses it by ending again.
    host.start_agent().unwrap();
    host.kill_agent().unwrap();
    host.start_agent().unwrap();
    assert_eq!(host.reports().len(), 1);
    until("status to tell of it", LIMIT, || {
        let status = host.status()?.stdout;
        Ok(status.contains("\"reports_waiting\":1").then_some(()))
    })
    .unwrap();
    scene.server.run().unwrap();
    scene.wait_for_event("break-glass.use");
    until("the report to be forgotten", LIMIT, || {
        Ok(host.reports().is_empty().then_some(()))
    })
    .unwrap();
    assert_eq!(scene.events("break-glass.use"), 1);
}

#[test]
fn a_host_without_the_daemon_tells_when_it_is_asked_to() {
    let scene = Scene::new();
    let mut host = scene.host();
    host.kill_agent().unwrap();
    assert!(scene.lets_in(&host));
    let tell = || host.break_glass(&["tell"]).unwrap().finish().unwrap();
    tell().success("tell").unwrap();
    assert_eq!(
        (scene.events("break-glass.use"), host.reports().len()),
        (1, 0)
    );
}

#[test]
fn a_granted_key_is_no_use_and_a_key_that_is_in_the_file_as_well_is_one() {
    let scene = Scene::new();
    let alice = SshKey::ed25519(scene.dir.path(), "alice").unwrap();
    let on = ["--account", &scene.account.name, "--host-group", "web"];
    for (user, key) in [("alice", &alice), ("bob", &scene.glass)] {
        scene
            .server
            .add_user_with_key(user, &key.public_path())
            .unwrap();
        scene
            .server
            .admin(&[&["grant", "add", "--user", user][..], &on].concat())
            .unwrap();
    }
    let host = scene.host();
    host.wait_until_let_in(&scene.account.name, &alice).unwrap();
    assert!(scene.lets_in(&host));
    scene.wait_for_event("break-glass.use");
    assert_eq!(scene.events("break-glass.use"), 1);
}

#[test]
fn a_drill_proves_the_way_in_by_the_file_alone_and_is_told_as_a_drill() {
    let mut scene = Scene::new();
    let mut host = scene.host();
    host.kill_agent().unwrap();
    let key = scene.glass.private_path().to_str().unwrap().to_owned();
    let drilled = scene.drill(&host, &["--key", &key]).finish().unwrap();
    assert_eq!(drilled.code(), Some(0), "{}", drilled.stderr);
    assert!(drilled.stdout.contains("alone"), "{}", drilled.stdout);
    assert!(!drilled.stderr.contains("nobody saw"), "{}", drilled.stderr);
    host.start_agent().unwrap();
    scene.wait_for_event("break-glass.drill");
    assert_eq!(scene.events("break-glass.use"), 0);
    let remembered =
        std::fs::read_to_string(scene.dir.path().join("state/break-glass-drills")).unwrap();
    assert!(remembered.contains("\"proof\":\"login\""), "{remembered}");
    scene.server.kill().unwrap();
    let drilled = scene.drill(&host, &["--key", &key]).finish().unwrap();
    assert_eq!(drilled.code(), Some(0), "{}", drilled.stderr);
}

#[test]
fn a_drill_says_plainly_what_it_did_not_prove_and_what_does_not_work() {
    let scene = Scene::new();
    let host = scene.host();
    let unsigned = scene.drill(&host, &[]).finish().unwrap();
    assert_eq!(unsigned.code(), Some(75), "{}", unsigned.stderr);
    assert!(
        unsigned.stderr.contains("everything but the signature"),
        "{}",
        unsigned.stderr
    );
    let stranger = SshKey::ed25519(scene.dir.path(), "stranger").unwrap();
    let key = stranger.private_path().to_str().unwrap().to_owned();
    let refused = scene.drill(&host, &["--key", &key]).finish().unwrap();
    assert_eq!(refused.code(), Some(69), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("the login failed"),
        "{}",
        refused.stderr
    );
    let file = host.dir().join("break-glass").join(&scene.account.name);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o664)).unwrap();
    let broken = scene.drill(&host, &[]).finish().unwrap();
    assert_eq!(broken.code(), Some(69), "{}", broken.stderr);
    assert!(
        broken.stderr.contains("can be written by group or others"),
        "{}",
        broken.stderr
    );
    std::fs::remove_file(&file).unwrap();
    let none = scene.drill(&host, &[]).finish().unwrap();
    assert_eq!(none.code(), Some(69), "{}", none.stderr);
    assert!(
        none.stderr.contains("no break-glass way in"),
        "{}",
        none.stderr
    );
}

#[test]
fn a_drill_that_gets_in_by_another_file_is_no_proof() {
    let scene = Scene::new();
    let host = scene.host();
    let line = std::fs::read(scene.glass.public_path()).unwrap();
    let other = scene.dir.file("other", line, 0o644).unwrap();
    let glass = host.dir().join("break-glass/%u");
    let key = scene.glass.private_path().to_str().unwrap().to_owned();
    let drill = |files: &str| {
        let drop_in = host.sshd().dir().join("sshd_config.d/00-first.conf");
        std::fs::write(drop_in, format!("AuthorizedKeysFile {files}\n")).unwrap();
        scene.drill(&host, &["--key", &key]).finish().unwrap()
    };
    let unread = drill(&other.display().to_string());
    assert_eq!(unread.code(), Some(69), "{}", unread.stderr);
    assert!(
        unread.stderr.contains("sshd does not read"),
        "{}",
        unread.stderr
    );
    let both = drill(&format!("{} {}", other.display(), glass.display()));
    assert_eq!(both.code(), Some(69), "{}", both.stderr);
    assert!(
        both.stderr.contains("and not the break-glass file"),
        "{}",
        both.stderr
    );
}

#[test]
fn a_key_command_that_never_ends_keeps_nobody_out() {
    let scene = Scene::new();
    let host = scene
        .host_with("AuthorizedKeysCommand /usr/bin/sleep 600\nAuthorizedKeysCommandUser nobody\n");
    assert!(scene.lets_in(&host));
}

#[test]
fn only_keys_in_hardware_are_taken_unless_somebody_says_otherwise() {
    let scene = Scene::new();
    let host = Host::builder(&scene.server, "web-1", "web")
        .break_glass()
        .start()
        .unwrap();
    let add = |file: &std::path::Path| {
        let arguments = ["add", &scene.account.name, "--file", file.to_str().unwrap()];
        host.break_glass(&arguments).unwrap().finish().unwrap()
    };
    let soft = add(&scene.glass.public_path());
    assert_eq!(soft.code(), Some(65), "{}", soft.stderr);
    assert!(
        soft.stderr.contains("not in a security key"),
        "{}",
        soft.stderr
    );
    let private = add(scene.glass.private_path());
    assert_eq!(private.code(), Some(65), "{}", private.stderr);
    // The public half of a key that is in no hardware: it can be added, and nobody can sign with it.
    let hardware = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAAAABHNzaDo= safe 2\n";
    let file = scene.dir.file("hardware.pub", hardware, 0o644).unwrap();
    let hard = add(&file);
    assert_eq!(hard.code(), Some(0), "{}", hard.stderr);
    let listed = host.break_glass(&["list"]).unwrap().finish().unwrap();
    let lines = listed.success("list").unwrap();
    assert!(
        lines.contains(": in order") && lines.contains("sk-ssh-ed25519@openssh.com safe 2"),
        "{lines}"
    );
}

/// Ends only a wait that will never succeed.
const LIMIT: Duration = Duration::from_secs(30);
