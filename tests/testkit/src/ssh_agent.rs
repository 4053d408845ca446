//! An ssh-agent with keys of its own.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::finish;
use crate::program::{Program, Running};
use crate::{Result, RootDir, SshKey, until};

/// A running ssh-agent. Dropped, it is ended.
#[derive(Debug)]
pub struct SshAgent {
    socket: PathBuf,
    _running: Running,
    _dir: RootDir,
}

impl SshAgent {
    /// One that holds no key.
    pub fn start() -> Result<Self> {
        let dir = RootDir::new()?;
        let socket = dir.path().join("agent.sock");
        let mut command = Command::new("ssh-agent");
        command.args(["-D", "-a"]).arg(&socket);
        let running = Program::from(command).spawn()?;
        until("the socket of ssh-agent", LIMIT, || {
            Ok(UnixStream::connect(&socket).is_ok().then_some(()))
        })?;
        Ok(Self {
            socket,
            _running: running,
            _dir: dir,
        })
    }

    /// One that holds these keys.
    pub fn with(keys: &[&SshKey]) -> Result<Self> {
        let agent = Self::start()?;
        for key in keys {
            agent.add(key)?;
        }
        Ok(agent)
    }

    /// Gives it a key.
    pub fn add(&self, key: &SshKey) -> Result {
        let mut command = Command::new("ssh-add");
        command
            .arg("-q")
            .arg(key.private_path())
            .env(VARIABLE, &self.socket);
        finish(&mut command, LIMIT)?.success("ssh-add").map(drop)
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The variable that tells a program of it.
    pub fn variable(&self) -> (&'static str, &Path) {
        (VARIABLE, &self.socket)
    }
}

const VARIABLE: &str = "SSH_AUTH_SOCK";
const LIMIT: Duration = Duration::from_secs(20);
