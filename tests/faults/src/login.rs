//! A place for one cell at a time: an sshd whose key command asks the cell's host agent, with a break-glass file beside it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use keyroster_testkit::{Failure, Result, RootDir, Ssh, Sshd};

use crate::rules::Key;
use crate::stage::Stage;
use crate::world::World;

/// An sshd and the configuration of its key command.
pub(crate) struct Slot {
    dir: RootDir,
    sshd: Sshd,
}

/// What became of a login with a stranger's key and then the break-glass key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    /// Let in, by the break-glass key.
    ByGlass,
    /// Let in, by the stranger's.
    ByStranger,
    /// Not let in.
    Refused,
}

impl Slot {
    pub(crate) fn new(world: &World) -> Result<Self> {
        let dir = RootDir::named("keyroster-test-faults-sshd")?;
        let glass = dir.file("break-glass", world.glass.public_line(), 0o644)?;
        dir.file("lookup.conf", "", 0o644)?;
        let sshd = Sshd::builder()
            .config(&format!(
                "AuthorizedKeysFile {}\n\
                 AuthorizedKeysCommand {} keys --user=%u --uid=%U --type=%t --key=%k --fingerprint=%f --config={}/lookup.conf\n\
                 AuthorizedKeysCommandUser {}\n",
                glass.display(),
                world.lookup_program.display(),
                dir.path().display(),
                world.lookup.name
            ))
            .start()?;
        Ok(Self { dir, sshd })
    }

    /// Lets lookup ask this stage's host agent; returns its configuration.
    pub(crate) fn ask_agent(&self, stage: &Stage<'_>) -> Result<PathBuf> {
        let text = format!(
            "authorized_keys: agent\nagent_socket: {}\n",
            stage.socket().display()
        );
        self.configure("lookup.conf", &text)
    }

    /// The same for a lookup that runs `lookup-once`.
    pub(crate) fn ask_directly(&self, stage: &Stage<'_>) -> Result<PathBuf> {
        let text = format!(
            "authorized_keys: direct\ndirect_program: {}\ndirect_config: {}\n",
            stage.world.agent_program.display(),
            stage.direct_config()?.display()
        );
        self.configure("direct.conf", &text)
    }

    fn configure(&self, name: &str, text: &str) -> Result<PathBuf> {
        let log = self.dir.path().join("no-log");
        let text = format!("{text}log_socket: {}\n", log.display());
        self.dir.file(name, text, 0o644)
    }

    /// Logs in with a stranger's key, which takes the key command, and then with the break-glass key, which takes none.
    pub(crate) fn break_glass(&self, world: &World) -> Result<(Login, Duration)> {
        let before = self.sshd.log_size();
        let started = Instant::now();
        let done = Ssh::to(&self.sshd, &world.login.name)
            .key(world.key(Key::Stranger)?)
            .key(&world.glass)
            .run()?;
        let took = started.elapsed();
        if !done.status.success() {
            return Ok((Login::Refused, took));
        }
        let accepted = self.sshd.log_from(before);
        let accepted = accepted
            .lines()
            .find(|line| line.contains("Accepted publickey"));
        let accepted = accepted.ok_or_else(|| Failure::new("sshd logs no accepted key"))?;
        if accepted.contains(world.glass_fingerprint()) {
            return Ok((Login::ByGlass, took));
        }
        Ok((Login::ByStranger, took))
    }

    /// What sshd has logged.
    pub(crate) fn log(&self) -> String {
        self.sshd.log()
    }
}
