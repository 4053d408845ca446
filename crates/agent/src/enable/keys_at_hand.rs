//! The private keys that whoever runs `enable` can log in with, by their public halves.
//!
//! None is on the host. They lie in an ssh-agent, which comes along with `ssh -A`, or in a file that somebody has brought. OpenSSH's own
//! programs are asked for the public halves: nothing here reads a private key.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keyroster_keys::{Fingerprint, KeyBlob, parse_public_key};
use keyroster_sshd::run::finish;
use keyroster_sshd::trial::Identity;

use crate::enable::error::{EnableError, Unmet};

/// A key to log in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAtHand {
    /// Its public half.
    pub blob: KeyBlob,
    /// How ssh comes to its private half.
    pub identity: Identity,
}

impl KeyAtHand {
    /// The key's id.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        *self.blob.fingerprint()
    }
}

/// The keys of the files that were named, `agent` standing for the ssh-agent; without a file those of the ssh-agent, if there is one.
///
/// # Errors
/// When a key that was named can't be used, or an ssh-agent that was asked for does not answer.
pub fn find(files: &[PathBuf], agent: Option<&Path>) -> Result<Vec<KeyAtHand>, EnableError> {
    let mut keys = Vec::new();
    for file in files {
        match file.to_str() {
            Some(AGENT) => keys.extend(in_agent(agent.ok_or_else(no_agent)?)?),
            _ => keys.push(in_file(file)?),
        }
    }
    match agent {
        Some(agent) if files.is_empty() => in_agent(agent),
        _ => Ok(keys),
    }
}

/// The keys of an ssh-agent.
///
/// # Errors
/// When it does not answer.
pub fn in_agent(socket: &Path) -> Result<Vec<KeyAtHand>, EnableError> {
    let mut command = Command::new("ssh-add");
    command.arg("-L").env("SSH_AUTH_SOCK", socket);
    let done = finish(&mut command, AGENT_LIMIT)?;
    match done.status.code() {
        Some(0) => Ok(listed(&done.stdout, socket)),
        Some(HOLDS_NOTHING) => Ok(Vec::new()),
        _ => Err(EnableError::Unmet(Unmet::new(
            format!(
                "the ssh-agent at \"{}\" does not answer: {}",
                socket.display(),
                done.said()
            ),
            HOW,
        ))),
    }
}

/// Certificates and whatever else is no plain key are left out: what is granted is a key.
fn listed(text: &str, socket: &Path) -> Vec<KeyAtHand> {
    let keys = text.lines().filter_map(|line| parse_public_key(line).ok());
    keys.map(|key| KeyAtHand {
        identity: Identity::AgentKey {
            socket: socket.to_owned(),
            public: format!("{} {}", key.blob.algorithm().as_str(), key.blob.base64()),
        },
        blob: key.blob,
    })
    .collect()
}

/// The key in a file.
///
/// # Errors
/// When it can't be used without a question.
pub fn in_file(path: &Path) -> Result<KeyAtHand, EnableError> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-y", "-P", "", "-f"]).arg(path);
    let done = finish(&mut command, FILE_LIMIT)?;
    let key = parse_public_key(done.stdout.trim_end());
    match key {
        Ok(key) if done.status.success() => Ok(KeyAtHand {
            blob: key.blob,
            identity: Identity::File(path.to_owned()),
        }),
        _ => Err(EnableError::Unmet(Unmet::new(
            format!(
                "can't use the key in \"{}\": {}",
                path.display(),
                done.said()
            ),
            "a private key without a passphrase, or one that your ssh-agent holds (`ssh-add`, then `ssh -A`)",
        ))),
    }
}

fn no_agent() -> EnableError {
    EnableError::Unmet(Unmet::new("there is no ssh-agent to log in with", HOW))
}

/// How a key comes to be at hand.
pub const HOW: &str =
    "`ssh -A` to this host and `sudo --preserve-env=SSH_AUTH_SOCK`, or `--trial-key FILE`";

/// What stands for the ssh-agent where a file is expected.
const AGENT: &str = "agent";
/// ssh-add(1): the exit status when the ssh-agent holds no key; 2 when it can't be reached.
const HOLDS_NOTHING: i32 = 1;
/// The longest that an ssh-agent may take to list its keys: it may be at the other end of a connection.
const AGENT_LIMIT: Duration = Duration::from_secs(10);
/// The longest that a file may take.
const FILE_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use keyroster_testkit::{RootDir, SshAgent, SshKey};

    use super::*;

    fn fingerprints(keys: &[KeyAtHand]) -> String {
        let each = keys.iter().map(|key| key.fingerprint().to_string());
        each.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_ssh_agent_is_asked_unless_a_file_is_named() {
        let dir = RootDir::new().unwrap();
        let [held, filed] =
            ["held", "filed"].map(|name| SshKey::ed25519(dir.path(), name).unwrap());
        let agent = SshAgent::with(&[&held]).unwrap();
        let socket = Some(agent.socket());
        let [held, other] = [&held, &filed].map(|key| key.fingerprint().unwrap());
        let file = filed.private_path().to_owned();
        let found = |files: &[PathBuf], agent| fingerprints(&find(files, agent).unwrap());
        assert_eq!(found(&[], socket), held);
        assert_eq!(found(&[], None), "");
        assert_eq!(found(std::slice::from_ref(&file), socket), other);
        let both = [PathBuf::from(AGENT), file];
        assert_eq!(found(&both, socket), format!("{held} {other}"));
        assert!(find(&[PathBuf::from(AGENT)], None).is_err());
    }

    #[test]
    fn a_file_that_would_need_a_passphrase_and_an_agent_that_is_gone_are_told() {
        let dir = RootDir::new().unwrap();
        let key = SshKey::ed25519(dir.path(), "k").unwrap();
        let mut lock = Command::new("ssh-keygen");
        lock.args(["-q", "-p", "-P", "", "-N", "secret", "-f"])
            .arg(key.private_path());
        finish(&mut lock, FILE_LIMIT)
            .unwrap()
            .success("ssh-keygen")
            .unwrap();
        let failure = in_file(key.private_path()).unwrap_err().to_string();
        assert!(failure.contains("can't use the key"), "{failure}");
        let failure = in_agent(&dir.path().join("gone")).unwrap_err().to_string();
        assert!(failure.contains("does not answer"), "{failure}");
    }
}
