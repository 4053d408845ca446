//! What can be wrong with a break-glass file, in words and with what mends it.

use std::path::PathBuf;

use keyroster_keys::{AccountName, Fingerprint};

use crate::doctor::checks::paths::quoted;

/// How bad it is.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It lets somebody in, but not as it should.
    Weakens,
    /// sshd lets nobody in by this file.
    Breaks,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no file.
    #[error("there is no \"{0}\"")]
    Missing(PathBuf),
    /// It can't be read.
    #[error("can't read \"{path}\": {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// sshd reads plain files only.
    #[error("\"{0}\" is not a plain file")]
    NotPlain(PathBuf),
    /// The file, or a directory above it, is somebody else's: sshd refuses the file.
    #[error("\"{path}\" belongs to user {uid} and not to root")]
    Owner {
        /// What.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// The file, or a directory above it, is the account's own: whoever logs in with one key could add others.
    #[error("\"{path}\" belongs to the account itself and not to root")]
    OwnAccounts {
        /// What.
        path: PathBuf,
    },
    /// Others can write: sshd refuses the file.
    #[error("\"{path}\" can be written by group or others (mode {mode:04o})")]
    Writable {
        /// What.
        path: PathBuf,
        /// How.
        mode: u32,
    },
    /// sshd reads the file as the account, and the account can't.
    #[error(
        "the account can't read \"{path}\" (mode {mode:04o}), and sshd reads it as the account"
    )]
    Hidden {
        /// What.
        path: PathBuf,
        /// How.
        mode: u32,
    },
    /// Longer than is read.
    #[error("\"{path}\" is longer than {most} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// What is read at most.
        most: u64,
    },
    /// No line has a key that logs in.
    #[error("\"{0}\" has no key that lets anybody in")]
    NoKey(PathBuf),
    /// A line that sshd ignores.
    #[error("line {line} is ignored by sshd: {why}")]
    Line {
        /// Its number.
        line: usize,
        /// Why.
        why: String,
    },
    /// An option that can keep the key out when it counts, or makes the line something else than one key.
    #[error("line {line} has the option {option}")]
    Limited {
        /// Its number.
        line: usize,
        /// The option.
        option: &'static str,
    },
    /// The private half may lie in a file.
    #[error("line {line}: key {fingerprint} is not in a security key")]
    NotHardware {
        /// Its number.
        line: usize,
        /// The key.
        fingerprint: Fingerprint,
    },
    /// sshd refuses the key for its age.
    #[error("line {line}: key {fingerprint} has ended by its expiry-time")]
    Ended {
        /// Its number.
        line: usize,
        /// The key.
        fingerprint: Fingerprint,
    },
    /// No key that is left counts: where sshd reads the list it refuses the revoked ones, and elsewhere it may any day.
    #[error("every key in \"{0}\" is revoked, or has ended")]
    Spent(PathBuf),
    /// The roster has revoked the key.
    #[error("line {line}: key {fingerprint} is revoked")]
    Revoked {
        /// Its number.
        line: usize,
        /// The key.
        fingerprint: Fingerprint,
    },
    /// sshd lets nobody in to an account that does not exist; one of a directory does not while the directory is down.
    #[error("there is no account \"{0}\" in /etc/passwd")]
    NoAccount(AccountName),
    /// The login would end at once.
    #[error("the shell of account \"{account}\" is \"{shell}\"")]
    NoShell {
        /// The account.
        account: AccountName,
        /// Its shell.
        shell: String,
    },
}

impl Fault {
    /// How bad it is.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::OwnAccounts { .. }
            | Self::Line { .. }
            | Self::Limited { .. }
            | Self::NotHardware { .. }
            | Self::Ended { .. }
            | Self::Revoked { .. } => Severity::Weakens,
            _ => Severity::Breaks,
        }
    }

    /// The command that mends it, where there is one that takes no judgement.
    #[must_use]
    pub fn command(&self) -> Option<String> {
        let (program, path) = match self {
            Self::Owner { path, .. } | Self::OwnAccounts { path } => ("chown root:root", path),
            Self::Writable { path, .. } => ("chmod go-w", path),
            Self::Hidden { path, .. } => ("chmod a+rX", path),
            _ => return None,
        };
        Some(format!("{program} {}", quoted(path)))
    }

    /// What mends it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Missing(_) | Self::NoKey(_) | Self::Spent(_) => {
                "`keyroster-agent break-glass add ACCOUNT --file KEY.pub`".to_owned()
            }
            Self::Owner { .. }
            | Self::OwnAccounts { .. }
            | Self::Writable { .. }
            | Self::Hidden { .. } => self.command().unwrap_or_default(),
            Self::NotHardware { .. } => {
                "take a key of `ssh-keygen -t ed25519-sk`, or set break-glass-keys = \"any\""
                    .to_owned()
            }
            Self::Revoked { fingerprint, .. } | Self::Ended { fingerprint, .. } => {
                format!("`keyroster-agent break-glass remove ACCOUNT {fingerprint}`")
            }
            Self::NoAccount(_) => "take a local account".to_owned(),
            Self::NoShell { account, .. } => {
                format!("chsh -s /bin/sh {account}, or take another account")
            }
            Self::Line { .. } | Self::Limited { .. } => {
                "remove the line, and add the key again".to_owned()
            }
            Self::Unreadable { .. } | Self::NotPlain(_) | Self::TooLong { .. } => {
                "move it away, and add the keys again".to_owned()
            }
        }
    }
}
