//! A roster that is put back from a backup lets in nobody who was put out since: seen at sshd.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::path::PathBuf;
use std::time::Duration;

use keyroster_e2e::Host;
use keyroster_testkit::{Account, Finished, KeyServer, Postgres, Program, RootDir, SshKey, until};

/// A key server on which alice and bob may log in, and a host on which both do.
struct Estate {
    server: KeyServer,
    host: Host,
    account: Account,
    dir: RootDir,
    alice: SshKey,
    bob: SshKey,
}

impl Estate {
    fn new(server: KeyServer) -> Self {
        let dir = RootDir::new().unwrap();
        let account = Account::login("keyroster-t1").unwrap();
        server.admin(&["host-group", "add", "web"]).unwrap();
        let user = |name: &str| {
            let key = SshKey::ed25519(dir.path(), name).unwrap();
            server.add_user_with_key(name, &key.public_path()).unwrap();
            let grant = [
                "grant",
                "add",
                "--user",
                name,
                "--account",
                &account.name,
                "--host-group",
                "web",
            ];
            server.admin(&grant).unwrap();
            key
        };
        let (alice, bob) = (user("alice"), user("bob"));
        let host = Host::builder(&server, "web-1", "web").start().unwrap();
        host.wait_until_let_in(&account.name, &alice).unwrap();
        Self {
            server,
            host,
            account,
            dir,
            alice,
            bob,
        }
    }

    fn backup(&self) -> PathBuf {
        self.dir.path().join("backup")
    }

    fn revoke_alice(&self) {
        let fingerprint = self.alice.fingerprint().unwrap();
        self.server
            .admin(&["key", "revoke", &fingerprint, "--wait"])
            .unwrap();
        assert!(!self.lets_in(&self.alice));
    }

    fn lets_in(&self, key: &SshKey) -> bool {
        self.host.lets_in(&self.account.name, key).unwrap()
    }

    fn verb(&self, verb: &str, more: &[&str]) -> Finished {
        let program = Program::keyroster("keyroster-server").unwrap();
        program
            .args([verb, "--data"])
            .arg(self.server.data())
            .args(more)
            .finish()
            .unwrap()
    }

    /// What the host agent's status says, once it says what is waited for.
    fn status(&self, what: &str, is: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        until(what, LIMIT, || {
            let said: serde_json::Value =
                serde_json::from_str(&self.host.status()?.stdout).unwrap();
            Ok(is(&said).then_some(said))
        })
        .unwrap()
    }
}

#[test]
fn a_key_that_was_revoked_after_the_backup_stays_dead_and_the_host_follows() {
    let mut estate = Estate::new(KeyServer::start().unwrap());
    let backup = estate.backup();
    let backup = backup.to_str().unwrap();
    estate
        .verb("backup", &["--to", backup])
        .success("backup")
        .unwrap();
    estate.revoke_alice();
    let early = estate.verb("restore", &["--from", backup]);
    assert_eq!(early.status.code(), Some(75), "{early:?}");
    assert!(
        early.stderr.contains("hint: stop the key server first"),
        "{early:?}"
    );
    estate.server.stop().unwrap();
    let said = estate
        .verb("restore", &["--from", backup])
        .success("restore")
        .unwrap();
    let fingerprint = estate.alice.fingerprint().unwrap();
    assert!(
        said.contains(&format!("key.revoke key \"{fingerprint}\"")),
        "{said}"
    );
    estate.server.run().unwrap();
    estate.status("the host to follow", |status| status["epoch"] == 2);
    assert!(!estate.lets_in(&estate.alice));
    assert!(estate.lets_in(&estate.bob), "{}", estate.host.sshd().log());
    estate
        .server
        .admin(&["user", "suspend", "bob", "--wait"])
        .unwrap();
    assert!(!estate.lets_in(&estate.bob), "the host goes on to follow");
}

#[test]
fn a_database_that_is_put_back_behind_the_key_servers_back_revives_nothing_and_is_seen() {
    let mut estate = Estate::new(KeyServer::start().unwrap());
    let backup = estate.backup();
    estate
        .verb("backup", &["--to", backup.to_str().unwrap()])
        .success("backup")
        .unwrap();
    estate.revoke_alice();
    estate.server.stop().unwrap();
    std::fs::copy(&backup, estate.server.data().join("roster.db")).unwrap();
    let refused = estate.server.run().unwrap_err().to_string();
    assert!(
        refused.contains("the revocation journal knows of more than the roster")
            && refused.contains("hint: `keyroster-server restore`"),
        "{refused}"
    );

    // Without its journal it can't know; its hosts still do.
    let journal = estate.server.data().join("revocations.journal");
    let elsewhere = estate.dir.path().join("journal");
    std::fs::rename(&journal, &elsewhere).unwrap();
    estate.server.run().unwrap();
    let status = estate.status("an alert", |status| status.get("alert").is_some());
    assert!(
        status["alert"].as_str().unwrap().contains("went back"),
        "{status}"
    );
    assert_eq!(status["epoch"], 1);
    assert!(
        !estate.lets_in(&estate.alice),
        "the host keeps what it holds"
    );
    assert!(estate.lets_in(&estate.bob), "within its grace");
    estate
        .server
        .process()
        .unwrap()
        .wait_for_line("the roster went back")
        .unwrap();

    estate.server.stop().unwrap();
    std::fs::rename(&elsewhere, &journal).unwrap();
    estate.verb("restore", &[]).success("restore").unwrap();
    estate.server.run().unwrap();
    estate.status("the end of the alert", |status| {
        status["epoch"] == 2 && status.get("alert").is_none()
    });
    assert!(!estate.lets_in(&estate.alice));
    assert!(estate.lets_in(&estate.bob));
}

#[test]
fn the_same_holds_on_postgresql() {
    let postgres = Postgres::start().unwrap();
    let database = postgres.fresh_database().unwrap();
    let mut estate = Estate::new(KeyServer::start_on(&database).unwrap());
    let refused = estate.verb("backup", &["--to", estate.backup().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(64), "{refused:?}");
    assert!(refused.stderr.contains("pg_dump"), "{refused:?}");
    postgres.dump(&database, &estate.backup()).unwrap();
    estate.revoke_alice();
    // Not stopped first, as it should be: it ends by itself.
    postgres.restore(&database, &estate.backup()).unwrap();
    let running = estate.server.process().unwrap();
    let ended = running.wait().unwrap();
    assert_eq!(ended.code(), Some(78), "{}", running.output());
    estate.server.stop().unwrap();
    let said = estate.verb("restore", &[]).success("restore").unwrap();
    assert!(said.contains("Epoch 2 (was 1)"), "{said}");
    estate.server.run().unwrap();
    estate.status("the host to follow", |status| status["epoch"] == 2);
    assert!(!estate.lets_in(&estate.alice));
    assert!(estate.lets_in(&estate.bob), "{}", estate.host.sshd().log());
}

/// The longest that the host may take to hear of a change.
const LIMIT: Duration = Duration::from_secs(30);
