//! A host that enforces: the machine, the key server outside, and the keys of those who log in.

use std::time::Duration;

use keyroster_install::Packages;
use keyroster_testkit::{
    Failure, Finished, KeyServer, Result, RootDir, Running, Ssh, SshKey, until,
};

use crate::control::Control;
use crate::denials::Denials;
use crate::image::Image;
use crate::machine::{Machine, OUTSIDE};

/// The machine and what stands beside it.
#[derive(Debug)]
pub struct Host {
    /// The machine.
    pub machine: Machine,
    /// What it enforces.
    pub control: Control,
    /// The key server, outside.
    pub server: KeyServer,
    /// What is tried.
    pub packages: Packages,
    /// Who logs in.
    pub keys: Keys,
    /// What was denied up to now.
    pub denials: Denials,
}

/// Each lets in to [`GRANTED`], some only for a while.
#[derive(Debug)]
pub struct Keys {
    /// Is granted from beginning to end.
    pub granted: SshKey,
    /// Is revoked early.
    pub revoked: SshKey,
    /// Is revoked while somebody is logged in with it.
    pub ended: SshKey,
    /// Stands in the break-glass file.
    pub break_glass: SshKey,
    /// Is known to another provider alone.
    pub elsewhere: SshKey,
    _dir: RootDir,
}

impl Host {
    /// Boots a machine, with a key server that knows whom to grant what.
    pub fn start(image: &Image, control: Control) -> Result<Self> {
        let host = Self {
            machine: Machine::boot(image, control)?,
            control,
            server: KeyServer::start_named(&[OUTSIDE])?,
            packages: Packages::from_environment()?,
            keys: Keys::make()?,
            denials: Denials::default(),
        };
        host.fill_roster()?;
        Ok(host)
    }

    /// A login through `authorized_keys`, which keyroster has no part in.
    pub fn by_file(&self) -> Ssh {
        self.machine.by_file(BY_FILE)
    }

    /// A login to the granted account with this key.
    pub fn with(&self, key: &SshKey) -> Ssh {
        self.machine.ssh(GRANTED).key(key)
    }

    /// A login that the key server grants.
    pub fn by_grant(&self) -> Ssh {
        self.with(&self.keys.granted)
    }

    /// Where the machine finds the key server.
    pub fn url(&self) -> String {
        self.server.url().replace("127.0.0.1", OUTSIDE)
    }

    /// Fails unless the login is let in.
    pub fn must_let_in(&self, login: &Ssh) -> Result {
        let done = attempt(login)?;
        if done.status.success() {
            return Ok(());
        }
        Err(self.failure("a login was refused", &done))
    }

    /// Fails unless sshd refuses the login: a connection that can't be made is another failure.
    pub fn must_refuse(&self, login: &Ssh) -> Result {
        let done = attempt(login)?;
        if done.code() == Some(255) && done.stderr.contains("Permission denied") {
            return Ok(());
        }
        Err(self.failure("a login was not refused", &done))
    }

    /// Waits until a program has said this. An emulated machine takes its time.
    pub fn wait_for(&self, running: &mut Running, text: &str) -> Result {
        let said = until(&format!("\"{text}\""), SAY_LIMIT, || {
            let said = running.output().contains(text);
            Ok((said || !running.is_running()).then_some(said))
        });
        match said {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => {
                let what = format!("it does not say \"{text}\":\n{}", running.output());
                Err(self.failure(&what, &self.machine.run("true")?))
            }
        }
    }

    /// Runs a script in the machine that must succeed; what it printed. A failure tells what was denied, too.
    pub fn must(&self, script: &str) -> Result<String> {
        let done = self.machine.run(script)?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        Err(self.failure(&format!("`{script}` ended with {}", done.status), &done))
    }

    /// Runs a script in the machine that must fail, and say this.
    pub fn must_fail(&self, script: &str, said: &str) -> Result {
        let done = self.machine.run(script)?;
        if !done.status.success() && format!("{}{}", done.stdout, done.stderr).contains(said) {
            return Ok(());
        }
        Err(self.failure(&format!("`{script}` did not fail with \"{said}\""), &done))
    }

    /// A failure with what the machine says about it.
    pub fn failure(&self, what: &str, done: &Finished) -> Failure {
        let asked = self.machine.run(LOGS);
        let logs = asked.map(|done| done.stdout).unwrap_or_default();
        let (out, err) = (&done.stdout, &done.stderr);
        Failure::new(format!("{what}\n{out}{err}\nlogs:\n{logs}"))
    }

    fn fill_roster(&self) -> Result {
        let ends = ["host-group", "add", GROUP, "--end-sessions"];
        self.server.admin(&ends)?;
        let keys = &self.keys;
        for (user, key) in [
            ("alice", &keys.granted),
            ("bob", &keys.revoked),
            ("carol", &keys.ended),
        ] {
            self.server.add_user_with_key(user, &key.public_path())?;
            let whom = ["grant", "add", "--user", user, "--account", GRANTED];
            let where_ = ["--host-group", GROUP, "--until", "1d", "--reason", "test"];
            self.server.admin(&[whom, where_].concat())?;
        }
        Ok(())
    }
}

/// Logs in. While sshd reloads nobody listens for a moment, and the machine's network resets connections then: they are made again.
fn attempt(login: &Ssh) -> Result<Finished> {
    until("sshd to listen", LISTEN_LIMIT, || {
        let done = login.run()?;
        let reached = !done.stderr.contains(NOBODY_LISTENS);
        Ok(reached.then_some(done))
    })
}

impl Keys {
    fn make() -> Result<Self> {
        let dir = RootDir::named("keyroster-enforcing")?;
        let key = |name| SshKey::ed25519(dir.path(), name);
        Ok(Self {
            granted: key("granted")?,
            revoked: key("revoked")?,
            ended: key("ended")?,
            break_glass: key("break-glass")?,
            elsewhere: key("elsewhere")?,
            _dir: dir,
        })
    }
}

/// The account that a file in its home lets in to.
pub const BY_FILE: &str = "byfile";
/// The account that the key server grants.
pub const GRANTED: &str = "deploy";
/// The host's group.
pub const GROUP: &str = "web";
/// The longest that a program may take to say something.
const SAY_LIMIT: Duration = Duration::from_secs(240);
/// The longest that sshd may take to listen again.
const LISTEN_LIMIT: Duration = Duration::from_secs(60);
/// What ssh says when nothing answers.
const NOBODY_LISTENS: &str = "kex_exchange_identification";
const LOGS: &str = "journalctl --no-pager --lines=60 --output=short\n\
    grep -aE 'denied|DENIED|SELINUX_ERR' /var/log/audit/audit.log | tail -n 40";
