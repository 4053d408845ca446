//! The checks: each a module with its rules and one pure function from facts to findings.

pub mod accounts;
pub mod apparmor;
pub mod authentication;
pub mod break_glass;
pub mod certificates;
pub mod cis;
pub mod clock;
pub mod command;
pub mod drills;
pub mod key_files;
pub mod limits;
pub mod lookup;
pub mod mend;
pub mod paths;
pub mod pending;
pub mod places;
pub mod principals;
pub mod reload;
pub mod revoked_keys;
pub mod run_as;
pub mod selinux;
pub mod server;
pub mod sessions;
pub mod settings;
pub mod snapshot;
pub mod socket;
pub mod sshd;
pub mod units;

#[cfg(test)]
pub(crate) mod testing;

use crate::doctor::finding::Rule;

/// Every rule, by the check that it belongs to.
pub static CATALOGUE: &[(&str, &[&Rule])] = &[
    ("sshd", sshd::RULES),
    ("sshd", reload::RULES),
    ("sshd", command::RULES),
    ("sshd", run_as::RULES),
    ("sshd", key_files::RULES),
    ("sshd", principals::RULES),
    ("sshd", places::RULES),
    ("sshd", pending::RULES),
    ("sshd", authentication::RULES),
    ("sshd", limits::RULES),
    ("sshd", revoked_keys::RULES),
    ("files", paths::RULES),
    ("files", settings::RULES),
    ("sshd", lookup::RULES),
    ("host agent", socket::RULES),
    ("host agent", snapshot::RULES),
    ("host agent", certificates::RULES),
    ("key server", server::RULES),
    ("system", clock::RULES),
    ("system", units::RULES),
    ("system", selinux::RULES),
    ("system", apparmor::RULES),
    ("sessions", sessions::RULES),
    ("accounts", accounts::RULES),
    ("break-glass", break_glass::RULES),
    ("break-glass", drills::RULES),
    ("cis", cis::RULES),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::doctor::finding::Mend;

    const PAGE: &str = include_str!("../../../../docs/doctor.md");

    fn row(rule: &Rule) -> String {
        let Rule {
            id,
            severity,
            meaning,
            why,
            mend,
        } = rule;
        let mend = match mend {
            Mend::Run(command) => format!("`{command}`"),
            Mend::Judge(words) => format!("judge: {words}"),
        };
        format!("| `{id}` | {severity} | {meaning} | {why} | {mend} |")
    }

    fn rules() -> impl Iterator<Item = &'static Rule> {
        CATALOGUE
            .iter()
            .flat_map(|(_, rules)| rules.iter().copied())
    }

    /// Programs of Debian's essential and important packages, of systemd, of those that sshd needs, and ours.
    const PROGRAMS: [&str; 14] = [
        "apt-get",
        "chmod",
        "chown",
        "getent",
        "gpasswd",
        "journalctl",
        "keyroster-agent",
        "sed",
        "sshd",
        "systemctl",
        "systemd-sysusers",
        "systemd-tmpfiles",
        "timedatectl",
        "usermod",
    ];

    #[test]
    fn what_mends_is_a_command_that_a_shell_takes_or_is_marked_as_a_judgement() {
        for rule in rules() {
            let Mend::Run(command) = rule.mend else {
                continue;
            };
            for part in command.split(" && ") {
                let program = part.split(' ').next().unwrap();
                assert!(PROGRAMS.contains(&program), "{}: {part}", rule.id);
            }
            let status = std::process::Command::new("/bin/sh")
                .args(["-n", "-c", command])
                .status();
            assert!(status.unwrap().success(), "{}: {command}", rule.id);
        }
    }

    /// What begins with a program and is marked as a judgement would be a command that nobody pastes.
    #[test]
    fn a_judgement_is_words_and_no_keyword_of_a_command() {
        for rule in rules() {
            if let Mend::Judge(words) = rule.mend {
                assert!(!words.contains(" && "), "{}: {words}", rule.id);
            }
        }
    }

    #[test]
    fn the_page_has_exactly_the_findings_of_the_code() {
        let written: BTreeSet<&str> = PAGE
            .lines()
            .filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 4)
            .collect();
        let rows: Vec<String> = rules().map(row).collect();
        let coded: BTreeSet<&str> = rows.iter().map(String::as_str).collect();
        let differing: Vec<_> = written.symmetric_difference(&coded).collect();
        assert!(differing.is_empty(), "{differing:#?}");
        assert_eq!(rows.len(), coded.len());
    }

    #[test]
    fn an_id_belongs_to_one_finding_and_stands_under_its_group() {
        let mut seen = BTreeSet::new();
        for (group, rules) in CATALOGUE {
            let heading = format!("\n### {group}\n");
            let (_, section) = PAGE.split_once(&heading).unwrap();
            let section = section.split("\n### ").next().unwrap();
            for rule in *rules {
                assert!(seen.insert(rule.id), "{} twice", rule.id);
                assert!(section.contains(&row(rule)), "{} under {group}", rule.id);
            }
        }
    }
}
