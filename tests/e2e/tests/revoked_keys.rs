//! A key that is revoked at the key server is refused wherever sshd finds it.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::time::Duration;

use keyroster_e2e::Host;
use keyroster_testkit::{Account, KeyServer, RootDir, SshKey, until};

/// A key server that knows two keys of alice's, a host of hers, and an account there whose home has both.
struct Scene {
    server: KeyServer,
    host: Host,
    account: Account,
    lost: SshKey,
    good: SshKey,
    _keys: RootDir,
}

impl Scene {
    fn start() -> Self {
        let account = Account::login("keyroster-t1").unwrap();
        let server = KeyServer::start().unwrap();
        let keys = RootDir::new().unwrap();
        let [lost, good] = ["lost", "good"].map(|name| SshKey::ed25519(keys.path(), name).unwrap());
        server
            .add_user_with_key("alice", &lost.public_path())
            .unwrap();
        server.admin(&["host-group", "add", "web"]).unwrap();
        let host = Host::builder(&server, "web-1", "web")
            .revoked_keys()
            .start()
            .unwrap();
        let home = host.dir().join("home").join(&account.name);
        let lines = format!("{}\n{}\n", lost.public_line(), good.public_line());
        std::fs::write(home, lines).unwrap();
        Self {
            server,
            host,
            account,
            lost,
            good,
            _keys: keys,
        }
    }

    fn lets_in(&self, key: &SshKey) -> bool {
        self.host.lets_in(&self.account.name, key).unwrap()
    }

    fn status(&self) -> serde_json::Value {
        let said = self.host.status().unwrap().success("status").unwrap();
        serde_json::from_str(&said).unwrap()
    }

    /// Waits until the host knows so many revoked keys.
    fn until_known(&self, keys: u64) {
        until("the list of revoked keys to arrive", LIMIT, || {
            let known = self.status().get("revoked_keys").cloned();
            Ok((known == Some(keys.into())).then_some(()))
        })
        .unwrap();
    }
}

#[test]
fn a_revoked_key_in_a_home_directory_is_refused_and_another_is_not() {
    let mut scene = Scene::start();
    assert!(scene.lets_in(&scene.lost) && scene.lets_in(&scene.good));
    let fingerprint = scene.lost.fingerprint().unwrap();
    scene
        .server
        .admin(&["key", "revoke", &fingerprint])
        .unwrap();
    scene
        .host
        .wait_until_refused(&scene.account.name, &scene.lost)
        .unwrap();
    assert!(scene.lets_in(&scene.good), "{}", scene.host.sshd().log());
    scene.until_known(1);
    // Without the host agent what it wrote holds, and it goes on with that.
    scene.host.kill_agent().unwrap();
    assert!(!scene.lets_in(&scene.lost) && scene.lets_in(&scene.good));
    scene.host.start_agent().unwrap();
    assert!(!scene.lets_in(&scene.lost) && scene.lets_in(&scene.good));
}

#[test]
fn whoever_is_suspended_is_refused_by_the_file_too_until_the_suspension_ends() {
    let scene = Scene::start();
    scene.server.admin(&["user", "suspend", "alice"]).unwrap();
    scene
        .host
        .wait_until_refused(&scene.account.name, &scene.lost)
        .unwrap();
    scene.server.admin(&["user", "resume", "alice"]).unwrap();
    scene
        .host
        .wait_until_let_in(&scene.account.name, &scene.lost)
        .unwrap();
    scene.until_known(0);
}

/// The longest that a change may take to arrive.
const LIMIT: Duration = Duration::from_secs(30);
