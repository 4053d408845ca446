//! A key server with one user who may log in to one account.

use keyroster_e2e::{Host, HostBuilder};
use keyroster_testkit::{Account, KeyServer, RootDir, SshKey};

/// Alice may log in to the account `keyroster-t1`, and holds a key of somebody whom the key server has never heard of.
pub struct Scene {
    pub server: KeyServer,
    pub account: String,
    pub alice: SshKey,
    pub other: SshKey,
    pub dir: RootDir,
}

impl Scene {
    pub fn new() -> Self {
        let account = Account::login("keyroster-t1").unwrap().name;
        let server = KeyServer::start().unwrap();
        let dir = RootDir::named("keyroster-beside").unwrap();
        let alice = SshKey::ed25519(dir.path(), "alice").unwrap();
        let other = SshKey::ed25519(dir.path(), "other").unwrap();
        server
            .add_user_with_key("alice", &alice.public_path())
            .unwrap();
        server.admin(&["host-group", "add", "web"]).unwrap();
        let grant = ["grant", "add", "--user", "alice", "--host-group", "web"];
        server
            .admin(&[&grant[..], &["--account", &account]].concat())
            .unwrap();
        Self {
            server,
            account,
            alice,
            other,
            dir,
        }
    }

    pub fn host(&self) -> HostBuilder<'_> {
        Host::builder(&self.server, "web-1", "web")
    }

    /// Asserts who gets in to Alice's account.
    #[track_caller]
    pub fn assert_alice_alone(&self, host: &Host, when: &str) {
        let alice = host.lets_in(&self.account, &self.alice).unwrap();
        assert!(alice, "{when}\n{}", host.sshd().log());
        let other = host.lets_in(&self.account, &self.other).unwrap();
        assert!(!other, "{when}\n{}", host.sshd().log());
    }
}
