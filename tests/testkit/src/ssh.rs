//! Logging in with the real `ssh`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::finish;
use crate::{Finished, Program, Result, Running, SECURITY_KEY_PROVIDER, SshKey, Sshd};

/// One login to come: whom, with what, and what to run there.
///
/// It reads no configuration of the caller's, asks nothing, and offers the keys that it was given and no others.
#[derive(Debug, Clone)]
pub struct Ssh {
    port: u16,
    known_hosts: PathBuf,
    account: String,
    options: Vec<OsString>,
    remote: String,
}

impl Ssh {
    /// A login as `account`; unless told otherwise it runs `true` there.
    pub fn to(sshd: &Sshd, account: &str) -> Self {
        Self::at(sshd.port(), sshd.known_hosts(), account)
    }

    /// The same at an sshd that is no fixture: the one on this port of loopback, whose host key is in this file.
    pub fn at(port: u16, known_hosts: &Path, account: &str) -> Self {
        Self {
            port,
            known_hosts: known_hosts.to_owned(),
            account: account.to_owned(),
            options: Vec::new(),
            remote: "true".to_owned(),
        }
    }

    /// Connects to this port instead of sshd's first.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Offers this key, which is in a security key.
    #[must_use]
    pub fn security_key(self, key: &SshKey) -> Self {
        self.option(&format!("SecurityKeyProvider={SECURITY_KEY_PROVIDER}"))
            .key(key)
    }

    /// Offers this key; several are offered in order.
    #[must_use]
    pub fn key(self, key: &SshKey) -> Self {
        self.identity(key.private_path())
    }

    /// Offers the key in this file.
    #[must_use]
    pub fn identity(mut self, path: &Path) -> Self {
        self.options.extend(["-i".into(), path.into()]);
        self
    }

    /// Adds an `-o` option, such as `CertificateFile=…`.
    #[must_use]
    pub fn option(mut self, option: &str) -> Self {
        self.options.extend(["-o".into(), option.into()]);
        self
    }

    /// Adds a plain argument, such as `-v` or `-tt`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.options.push(argument.into());
        self
    }

    /// Runs this there instead of `true`.
    #[must_use]
    pub fn command(mut self, command: &str) -> Self {
        command.clone_into(&mut self.remote);
        self
    }

    /// Logs in, and waits for the end. A refused login is an exit code of 255 and no failure.
    pub fn run(&self) -> Result<Finished> {
        finish(&mut self.build(), LOGIN_LIMIT)
    }

    /// Logs in and says whether it was let in; a failure of `ssh` itself counts as refused, its words are in `stderr`.
    pub fn is_let_in(&self) -> Result<bool> {
        self.run().map(|finished| finished.status.success())
    }

    /// Logs in and goes on while the connection stays open.
    pub fn open(&self) -> Result<Running> {
        Program::from(self.build()).spawn()
    }

    /// The command line as it will be run.
    pub fn build(&self) -> Command {
        let mut command = Command::new("ssh");
        command.args([
            "-F",
            "none",
            "-p",
            &self.port.to_string(),
            "-l",
            &self.account,
        ]);
        for option in OPTIONS {
            command.args(["-o", option]);
        }
        command
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", self.known_hosts.display()));
        command
            .args(&self.options)
            .arg("127.0.0.1")
            .arg("--")
            .arg(&self.remote);
        command.env_remove("SSH_AUTH_SOCK");
        command
    }
}

const OPTIONS: [&str; 7] = [
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "ConnectTimeout=10",
];
/// The longest that one login may take: sshd's own delays after refused keys add up to seconds.
const LOGIN_LIMIT: Duration = Duration::from_secs(40);
