//! This host's sshd: which program it is, what it would do for a connection, and making it read its configuration again.
//!
//! sshd is asked and not imitated. Which value of a keyword counts depends on `Include`, `Match`, the command line and the
//! release; `sshd -T -C` knows all that, a reader of our own would know some of it. What sshd does not tell, such as the file in
//! which a value stands, is looked for beside and never decides.
//!
//! | where | what |
//! |---|---|
//! | [`binary`] | which sshd, and its release |
//! | [`check`], [`effective`] | `sshd -t`, and `sshd -T -C` as typed values |
//! | [`tree`] | in which file and line a value stands |
//! | [`service`], [`session`] | the sshd that listens, reloading it, and who is logged in through it |
//! | [`would_be`], [`trial`] | a configuration as it would be, and one login to a temporary sshd that has it |
//! | [`account`] | accounts as this host's name services know them |
//! | [`run`] | every program is started there: without a shell, with a deadline |
//!
//! Nothing here restarts sshd: a restart that fails leaves nobody listening, a reload that fails leaves the sshd of before.

pub mod account;
pub mod binary;
pub mod check;
pub mod effective;
mod error;
pub mod process;
pub mod run;
pub mod service;
pub mod session;
pub mod tree;
pub mod trial;
pub mod would_be;

pub use binary::{Binary, Version};
pub use effective::{Connection, Effective};
pub use error::SshdError;

use std::path::{Path, PathBuf};
use std::process::Command;

/// An sshd with the configuration that it is asked about.
#[derive(Debug, Clone)]
pub struct Sshd {
    binary: Binary,
    config: PathBuf,
    overrides: Vec<String>,
}

impl Sshd {
    /// This program, reading this file.
    #[must_use]
    pub fn new(binary: Binary, config: &Path) -> Self {
        Self {
            binary,
            config: config.to_owned(),
            overrides: Vec::new(),
        }
    }

    /// The same with what stands behind `-o` on the command line of the one that runs: it beats every file.
    #[must_use]
    pub fn with_overrides(mut self, overrides: &[String]) -> Self {
        self.overrides.extend_from_slice(overrides);
        self
    }

    /// The same reading another file.
    #[must_use]
    pub fn with_config(&self, config: &Path) -> Self {
        Self {
            config: config.to_owned(),
            ..self.clone()
        }
    }

    /// Which program it is.
    #[must_use]
    pub fn binary(&self) -> &Binary {
        &self.binary
    }

    /// The file that it reads.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// What its command line sets.
    #[must_use]
    pub fn overrides(&self) -> &[String] {
        &self.overrides
    }

    /// Its command line up to here.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.binary.path());
        command.arg("-f").arg(&self.config).current_dir("/");
        for setting in &self.overrides {
            command.args(["-o", setting]);
        }
        command
    }
}

/// What sshd reads unless its command line names another file.
pub const DEFAULT_CONFIG: &str = "/etc/ssh/sshd_config";
