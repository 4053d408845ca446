//! The key command itself, run as sshd runs it, and its settings.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyroster_keys::KeyBlob;
use keyroster_sshd::account::Account;
use keyroster_sshd::run::finish;

use crate::doctor::facts::files::read_some;
use crate::doctor::facts::{Seen, Unseen};

/// What became of a question about a key that nobody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// As whom it ran.
    pub user: String,
    /// Its exit code; none when a signal ended it or it took too long.
    pub code: Option<i32>,
    /// What it complained about.
    pub said: String,
}

/// What of the lookup's settings decides what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where they are.
    pub path: PathBuf,
    /// The sources that are asked for keys, in order.
    pub sources: Vec<String>,
    /// The programs of `command:` sources, of keys and of principals.
    pub programs: Vec<PathBuf>,
}

/// Runs a key command as its user, with the tokens of a login to root with a key that nobody has.
///
/// # Errors
/// When it can't be run as that user.
pub fn run(command: &str, user: &str) -> Seen<Trial> {
    let account = Account::find(user).map_err(Unseen::because)?;
    let account = account.ok_or_else(|| Unseen(format!("there is no user \"{user}\"")))?;
    if !rustix::process::geteuid().is_root() {
        return Err(Unseen(format!(
            "only root can run the key command as \"{user}\""
        )));
    }
    let mut words = command.split_ascii_whitespace();
    let program = words.next().unwrap_or_default();
    let key = nobodys_key();
    let fingerprint = KeyBlob::parse(KEY_TYPE, &key).map(|key| key.fingerprint().to_string());
    let fingerprint = fingerprint.map_err(Unseen::because)?;
    let filled = words.map(|word| {
        word.replace("%u", "root")
            .replace("%U", "0")
            .replace("%t", KEY_TYPE)
            .replace("%k", &key)
            .replace("%f", &fingerprint)
            .replace("%C", "127.0.0.1 22 192.0.2.1 22")
    });
    let mut command = Command::new(program);
    command
        .args(filled)
        .uid(account.uid)
        .gid(account.gid)
        .current_dir("/");
    match finish(&mut command, super::system::TOOL_LIMIT) {
        Ok(done) => Ok(Trial {
            user: user.to_owned(),
            code: done.status.code(),
            said: done.said(),
        }),
        Err(err) => Ok(Trial {
            user: user.to_owned(),
            code: None,
            said: err.to_string(),
        }),
    }
}

/// An Ed25519 key of zeros, whose private half nobody knows.
fn nobodys_key() -> String {
    let mut blob = Vec::new();
    for part in [KEY_TYPE.as_bytes(), [0; 32].as_slice()] {
        let length = u32::try_from(part.len()).unwrap_or(0);
        blob.extend_from_slice(&length.to_be_bytes());
        blob.extend_from_slice(part);
    }
    STANDARD.encode(blob)
}

/// The settings that a key command reads.
///
/// # Errors
/// When they are there and can't be read.
pub fn settings(command: &str) -> Seen<Settings> {
    let named = command
        .split_ascii_whitespace()
        .find_map(|word| word.strip_prefix("--config="));
    let path = Path::new(named.unwrap_or(DEFAULT));
    let text = match read_some(path, MAX_BYTES) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(err) => return Err(Unseen(format!("can't read \"{}\": {err}", path.display()))),
    };
    Ok(Settings {
        path: path.to_owned(),
        sources: sources(&text),
        programs: programs(&text),
    })
}

/// What stands behind `authorized_keys:`, without the words in brackets.
fn sources(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.split('#').next());
    let mut values = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "authorized_keys").then_some(value)
    });
    let chain = values.next().unwrap_or("agent");
    let mut sources = Vec::new();
    let mut in_brackets = false;
    for word in chain.split_ascii_whitespace() {
        in_brackets |= word.starts_with('[');
        if !in_brackets {
            sources.push(word.to_owned());
        }
        in_brackets &= !word.ends_with(']');
    }
    sources
}

/// `command:PATH` itself, and of `command:NAME` the first word of its own line.
fn programs(text: &str) -> Vec<PathBuf> {
    let lines = text.lines().filter_map(|line| line.split('#').next());
    let lines: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let named = |name: &str| {
        let own = format!("command.{name}");
        let line = lines.iter().find(|(left, _)| left.trim() == own)?;
        line.1.split_ascii_whitespace().next()
    };
    let chains = lines
        .iter()
        .filter(|(name, _)| ["authorized_keys", "principals"].contains(&name.trim()));
    let words = chains.flat_map(|(_, chain)| chain.split_ascii_whitespace());
    let commands = words.filter_map(|word| word.strip_prefix("command:"));
    let mut programs: Vec<PathBuf> = commands
        .filter_map(|it| {
            if it.starts_with('/') {
                Some(it)
            } else {
                named(it)
            }
        })
        .map(PathBuf::from)
        .collect();
    programs.sort_unstable();
    programs.dedup();
    programs
}

impl Settings {
    /// Whether a source asks the host agent's socket.
    #[must_use]
    pub fn ask_the_daemon(&self) -> bool {
        self.sources.iter().any(|source| source == "agent")
    }
}

/// Where the settings are unless the key command names others.
pub const DEFAULT: &str = "/etc/keyroster/lookup.conf";
const KEY_TYPE: &str = "ssh-ed25519";
const MAX_BYTES: u64 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_without_their_actions() {
        for (text, expected) in [
            ("", vec!["agent"]),
            (
                "authorized_keys: direct # x\nprincipals: agent\n",
                vec!["direct"],
            ),
            (
                "# authorized_keys: direct\nauthorized_keys: agent [UNAVAIL=continue NOTFOUND=return] direct [X=y] command:/a\n",
                vec!["agent", "direct", "command:/a"],
            ),
        ] {
            assert_eq!(sources(text), expected, "{text}");
        }
    }

    #[test]
    fn programs_of_sources_are_found_by_path_and_by_name() {
        let text = "authorized_keys: agent [NOTFOUND=return] command:/a command:sss\nprincipals: command:/b\n\
                    command.sss: /usr/bin/sss %u\ncommand.unused: /c\n# authorized_keys: command:/d\n";
        let expected = ["/a", "/b", "/usr/bin/sss"].map(PathBuf::from);
        assert_eq!(programs(text), expected);
        assert_eq!(programs(""), [] as [PathBuf; 0]);
    }

    #[test]
    fn the_key_that_nobody_has_is_a_key() {
        assert!(KeyBlob::parse(KEY_TYPE, &nobodys_key()).is_ok());
    }
}
