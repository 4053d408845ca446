//! The snapshot key is exchanged while people log in.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::fs;
use std::time::Duration;

use keyroster_api::signature::{Namespace, SnapshotKey, split};
use keyroster_e2e::Host;
use keyroster_testkit::{Account, Finished, KeyServer, Program, Result, RootDir, SshKey, until};

/// A key server, an account, somebody who may log in to it and somebody who may not.
struct Estate {
    server: KeyServer,
    account: Account,
    _dir: RootDir,
    alice: SshKey,
    mallory: SshKey,
}

impl Estate {
    fn start(account: &str) -> Result<Self> {
        let server = KeyServer::start()?;
        let dir = RootDir::new()?;
        let alice = SshKey::ed25519(dir.path(), "alice")?;
        let mallory = SshKey::ed25519(dir.path(), "mallory")?;
        server.add_user_with_key("alice", &alice.public_path())?;
        server.admin(&["host-group", "add", "web"])?;
        let grant = format!("grant add --user alice --account {account} --host-group web");
        server.admin(&grant.split(' ').collect::<Vec<_>>())?;
        Ok(Self {
            server,
            account: Account::login(account)?,
            _dir: dir,
            alice,
            mallory,
        })
    }

    fn rotate(&self, step: &[&str]) -> Result<Finished> {
        Program::keyroster("keyroster-server")?
            .args(["rotate", "--data"])
            .arg(self.server.data())
            .args(step)
            .finish()
    }

    /// A step that is made, and that the key server serves by.
    fn step(&mut self, step: &[&str]) -> Result {
        self.rotate(step)?.success("keyroster-server rotate")?;
        self.server.stop()?;
        self.server.run()
    }

    fn until_nobody_is_behind(&self) -> Result {
        until("every host to know the keys", PATIENCE, || {
            let status = self.rotate(&["status"])?;
            Ok(status.stdout.contains("do not go by it: 0\n").then_some(()))
        })
    }

    /// Alice gets in at once, and nobody else does.
    fn logins_are_right(&self, hosts: &[&Host]) {
        for host in hosts {
            let lets_in = |key| host.lets_in(&self.account.name, key).unwrap();
            assert!(lets_in(&self.alice), "{}: {}", host.name, host.sshd().log());
            assert!(!lets_in(&self.mallory), "{}", host.name);
        }
    }
}

#[test]
fn no_login_fails_while_the_snapshot_key_is_exchanged_and_the_old_key_signs_nothing_afterwards() {
    let mut estate = Estate::start("keyroster-t1").unwrap();
    let mut host = Host::builder(&estate.server, "web-1", "web")
        .start()
        .unwrap();
    let lone = Host::builder(&estate.server, "web-2", "web")
        .direct()
        .start()
        .unwrap();
    estate.logins_are_right(&[&host, &lone]);
    let old = fs::read_to_string(estate.server.data().join("snapshot-key")).unwrap();

    estate.step(&["snapshot-key"]).unwrap();
    estate.logins_are_right(&[&host, &lone]);
    estate.until_nobody_is_behind().unwrap();
    estate.step(&["switch"]).unwrap();
    estate.logins_are_right(&[&host, &lone]);
    estate.step(&["finish"]).unwrap();
    estate.logins_are_right(&[&host, &lone]);
    estate.until_nobody_is_behind().unwrap();
    estate.logins_are_right(&[&host, &lone]);

    // What is on the disk is by the new key, so a host that starts without the key server answers.
    host.kill_agent().unwrap();
    estate.server.stop().unwrap();
    host.start_agent().unwrap();
    estate.logins_are_right(&[&host]);

    // What the old key signs is nobody's word any more.
    host.kill_agent().unwrap();
    let state = host.dir().join("state");
    let document = fs::read(state.join("snapshot")).unwrap();
    let (_, bytes) = split(&document).unwrap();
    let stolen = SnapshotKey::from_openssh(&old).unwrap();
    let forged = stolen.sign(Namespace::Snapshot, bytes).unwrap();
    fs::write(state.join("snapshot"), forged).unwrap();
    host.start_agent().unwrap();
    assert!(!host.lets_in(&estate.account.name, &estate.alice).unwrap());
}

#[test]
fn a_host_that_does_not_know_the_new_key_is_named_and_waited_for() {
    let mut estate = Estate::start("keyroster-t2").unwrap();
    let mut host = Host::builder(&estate.server, "web-1", "web")
        .start()
        .unwrap();
    estate.logins_are_right(&[&host]);
    host.kill_agent().unwrap();
    estate.step(&["snapshot-key"]).unwrap();
    let refused = estate.rotate(&["switch"]).unwrap();
    assert_eq!(refused.code(), Some(75), "{refused:?}");
    assert!(
        refused.stderr.contains("new snapshot key: web-1"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("--abandon"), "{refused:?}");
    // A host that is enrolled meanwhile, and one that was given up and comes back, both find their way.
    let newcomer = Host::builder(&estate.server, "web-2", "web")
        .start()
        .unwrap();
    estate.logins_are_right(&[&newcomer]);
    let abandon = ["--abandon", "web-1"];
    until("the newcomer to be known", PATIENCE, || {
        let switched = estate.rotate(&[&["switch"], &abandon[..]].concat())?;
        Ok((switched.code() == Some(0)).then_some(()))
    })
    .unwrap();
    estate.step(&[&["finish"], &abandon[..]].concat()).unwrap();
    host.start_agent().unwrap();
    host.wait_until_let_in(&estate.account.name, &estate.alice)
        .unwrap();
    estate.until_nobody_is_behind().unwrap();
    estate.logins_are_right(&[&host, &newcomer]);
}

const PATIENCE: Duration = Duration::from_secs(60);
