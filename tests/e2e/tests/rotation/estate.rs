//! What is exchanged here, and who logs in meanwhile.

use std::time::Duration;

use keyroster_e2e::Host;
use keyroster_testkit::{
    Account, Failure, Finished, KeyServer, Program, Result, RootDir, SshKey, until,
};

/// A key server, an account, somebody who may log in to it and somebody who may not.
pub struct Estate {
    pub server: KeyServer,
    pub account: Account,
    _dir: RootDir,
    pub alice: SshKey,
    pub mallory: SshKey,
}

impl Estate {
    pub fn start(account: &str) -> Result<Self> {
        Self::start_with(KeyServer::start()?, account)
    }

    pub fn start_with(server: KeyServer, account: &str) -> Result<Self> {
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

    pub fn rotate(&self, step: &[&str]) -> Result<Finished> {
        Program::keyroster("keyroster-server")?
            .args(["rotate", "--data"])
            .arg(self.server.data())
            .args(step)
            .finish()
    }

    /// A step that is made, and that the key server serves by.
    pub fn step(&mut self, step: &[&str]) -> Result {
        self.rotate(step)?.success("keyroster-server rotate")?;
        self.server.stop()?;
        self.server.run()
    }

    /// A step that is made once nothing holds it up any more. The key server then ends as a crash has it end.
    pub fn step_when_ready(&mut self, step: &[&str]) -> Result {
        until("the step to be made", PATIENCE, || {
            let made = self.rotate(step)?;
            match made.code() {
                Some(0) => Ok(Some(())),
                Some(75) => Ok(None),
                _ => Err(Failure::new(format!("{made:?}"))),
            }
        })?;
        self.server.kill()?;
        self.server.run()
    }

    pub fn until_nobody_is_behind(&self) -> Result {
        until("every host to know the keys", PATIENCE, || {
            let status = self.rotate(&["status"])?;
            Ok(status.stdout.contains("do not go by it: 0\n").then_some(()))
        })
    }

    /// Alice gets in at once, and nobody else does.
    pub fn logins_are_right(&self, hosts: &[&Host]) {
        for host in hosts {
            let lets_in = |key| host.lets_in(&self.account.name, key).unwrap();
            assert!(lets_in(&self.alice), "{}: {}", host.name, host.sshd().log());
            assert!(!lets_in(&self.mallory), "{}", host.name);
        }
    }
}

/// The longest that a host may take to follow: many questions of some seconds.
pub const PATIENCE: Duration = Duration::from_secs(90);
