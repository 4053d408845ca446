//! Facts for tests of the checks.

use std::path::PathBuf;
use std::sync::Arc;

use keyroster_sshd::tree::{Login, Tree};
use keyroster_sshd::{Effective, Version};

use crate::doctor::facts::logins::SOMEWHERE;
use crate::doctor::facts::sshd::{Asked, SshdFacts, Why};
use crate::doctor::finding::{Finding, Outcome};

/// Our key command.
pub const OURS: &str = "/usr/lib/keyroster/keyroster-lookup keys --user=%u --uid=%U --type=%t --key=%k --fingerprint=%f";

/// A configuration that has it.
pub const SSHD: &str = "# sshd\nAuthorizedKeysCommand /usr/lib/keyroster/keyroster-lookup keys --user=%u --uid=%U --type=%t --key=%k --fingerprint=%f\n";

/// An sshd with this configuration, and these accounts with these key commands in effect.
pub fn sshd(commands: &[(&str, &str)], text: &str) -> SshdFacts {
    let effective: Vec<(&str, String)> = commands
        .iter()
        .map(|(user, command)| {
            (
                *user,
                format!(
                    "authorizedkeyscommand {command}\nauthorizedkeyscommanduser keyroster-lookup\n"
                ),
            )
        })
        .collect();
    let effective: Vec<(&str, &str)> = effective
        .iter()
        .map(|(user, text)| (*user, text.as_str()))
        .collect();
    asked(&effective, text)
}

/// An sshd with this configuration, and these accounts with what `sshd -T` says for them.
pub fn asked(logins: &[(&str, &str)], text: &str) -> SshdFacts {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("sshd_config");
    std::fs::write(&config, text).unwrap();
    let tree = Tree::read(&config).unwrap();
    let logins = logins.iter().map(|(user, said)| Asked {
        login: login(user),
        why: Why::Granted,
        effective: Arc::new(Effective::parse(said)),
    });
    SshdFacts {
        version: Version::new(9, 6),
        program: PathBuf::from("/usr/sbin/sshd"),
        config: config.clone(),
        listens: true,
        broken: None,
        unasked: 0,
        logins: logins.collect(),
        tree,
    }
}

fn login(user: &str) -> Login {
    Login {
        user: user.to_owned(),
        groups: vec![user.to_owned()],
        host: SOMEWHERE.to_string(),
        addr: SOMEWHERE,
        laddr: SOMEWHERE,
        lport: 22,
    }
}

/// The ids of what is broken.
pub fn broken(findings: &[Finding]) -> Vec<&'static str> {
    let broken = findings.iter().filter(|it| it.outcome == Outcome::Broken);
    broken.map(|finding| finding.rule.id).collect()
}

/// The ids of what could not be seen.
pub fn unseen(findings: &[Finding]) -> Vec<&'static str> {
    let unseen = findings.iter().filter(|it| it.outcome == Outcome::Unseen);
    unseen.map(|finding| finding.rule.id).collect()
}

/// What the finding of this id says.
pub fn what_of<'a>(findings: &'a [Finding], id: &str) -> &'a str {
    let finding = findings.iter().find(|finding| finding.rule.id == id);
    &finding.unwrap().what
}
