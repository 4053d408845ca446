//! What a host does when something is out of reach, as `docs/architecture.md` has it.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use keyroster_e2e::Host;
use keyroster_testkit::{Account, KeyServer, RootDir, SshKey};

struct Scene {
    server: KeyServer,
    _dir: RootDir,
    key: SshKey,
    account: Account,
}

/// A key server where alice may log in to `keyroster-t1` on the hosts of `web`, whose bounds on staleness these are.
fn scene(bounds: &[&str]) -> Scene {
    let account = Account::login("keyroster-t1").unwrap();
    let server = KeyServer::start().unwrap();
    let dir = RootDir::new().unwrap();
    let key = SshKey::ed25519(dir.path(), "alice").unwrap();
    server
        .add_user_with_key("alice", &key.public_path())
        .unwrap();
    let mut group = vec!["host-group", "add", "web"];
    group.extend(bounds);
    server.admin(&group).unwrap();
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
    Scene {
        server,
        _dir: dir,
        key,
        account,
    }
}

#[test]
fn logins_go_on_while_the_key_server_is_away_and_within_grace() {
    let mut scene = scene(&["--max-staleness", "1s", "--grace", "1h"]);
    let mut host = Host::builder(&scene.server, "web-1", "web")
        .start()
        .unwrap();
    scene.server.kill().unwrap();
    for _ in 0..3 {
        assert!(
            host.lets_in(&scene.account.name, &scene.key).unwrap(),
            "{}",
            host.sshd().log()
        );
    }
    host.kill_agent().unwrap();
    host.start_agent().unwrap();
    assert!(
        host.lets_in(&scene.account.name, &scene.key).unwrap(),
        "after a restart, from disk"
    );
}

#[test]
fn logins_end_with_grace_and_come_back_with_the_key_server() {
    let mut scene = scene(&["--max-staleness", "1s", "--grace", "4s"]);
    let host = Host::builder(&scene.server, "web-1", "web")
        .start()
        .unwrap();
    scene.server.kill().unwrap();
    assert!(host.lets_in(&scene.account.name, &scene.key).unwrap());
    host.wait_until_refused(&scene.account.name, &scene.key)
        .unwrap();
    scene.server.run().unwrap();
    host.wait_until_let_in(&scene.account.name, &scene.key)
        .unwrap();
}

#[test]
fn a_strict_host_lets_nobody_in_once_it_is_stale() {
    let mut scene = scene(&["--max-staleness", "1s", "--strict"]);
    let host = Host::builder(&scene.server, "web-1", "web")
        .start()
        .unwrap();
    assert!(host.lets_in(&scene.account.name, &scene.key).unwrap());
    scene.server.kill().unwrap();
    host.wait_until_refused(&scene.account.name, &scene.key)
        .unwrap();
    assert!(!host.lets_in(&scene.account.name, &scene.key).unwrap());
}

#[test]
fn a_key_server_that_says_nothing_for_ever_is_as_good_as_away() {
    let mut scene = scene(&["--max-staleness", "1s", "--grace", "1h"]);
    let host = Host::builder(&scene.server, "web-1", "web")
        .start()
        .unwrap();
    scene.server.process().unwrap().freeze().unwrap();
    for _ in 0..3 {
        assert!(
            host.lets_in(&scene.account.name, &scene.key).unwrap(),
            "{}",
            host.sshd().log()
        );
    }
    scene.server.process().unwrap().thaw().unwrap();
}

#[test]
fn a_removed_host_lets_nobody_in_though_it_holds_a_snapshot() {
    let mut scene = scene(&["--grace", "1h"]);
    let mut host = Host::builder(&scene.server, "web-1", "web")
        .start()
        .unwrap();
    assert!(host.lets_in(&scene.account.name, &scene.key).unwrap());
    scene.server.admin(&["host", "remove", "web-1"]).unwrap();
    host.wait_until_refused(&scene.account.name, &scene.key)
        .unwrap();
    scene.server.kill().unwrap();
    host.kill_agent().unwrap();
    host.start_agent().unwrap();
    assert!(
        !host.lets_in(&scene.account.name, &scene.key).unwrap(),
        "neither a restart nor an outage brings an authoritative no back to yes"
    );
}

#[test]
fn a_dead_or_hung_host_agent_refuses_and_the_break_glass_key_still_works() {
    let scene = scene(&[]);
    let dir = RootDir::new().unwrap();
    let glass = SshKey::ed25519(dir.path(), "glass").unwrap();
    let file = dir
        .file(
            "keyroster-t1",
            std::fs::read(glass.public_path()).unwrap(),
            0o644,
        )
        .unwrap();
    let mut host = Host::builder(&scene.server, "web-1", "web")
        .sshd(&format!("AuthorizedKeysFile {}\n", file.display()))
        .start()
        .unwrap();
    host.agent().unwrap().freeze().unwrap();
    assert!(!host.lets_in(&scene.account.name, &scene.key).unwrap());
    assert!(host.lets_in(&scene.account.name, &glass).unwrap());
    host.agent().unwrap().thaw().unwrap();
    host.wait_until_let_in(&scene.account.name, &scene.key)
        .unwrap();
    host.kill_agent().unwrap();
    assert!(!host.lets_in(&scene.account.name, &scene.key).unwrap());
    assert!(host.lets_in(&scene.account.name, &glass).unwrap());
}
