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
pub mod paths;
pub mod pending;
pub mod places;
pub mod principals;
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

    const PAGE: &str = include_str!("../../../../docs/doctor.md");

    fn row(rule: &Rule) -> String {
        let Rule {
            id,
            severity,
            meaning,
            why,
            mend,
        } = rule;
        format!("| `{id}` | {severity} | {meaning} | {why} | {mend} |")
    }

    #[test]
    fn the_page_has_exactly_the_findings_of_the_code() {
        let written: BTreeSet<&str> = PAGE
            .lines()
            .filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 4)
            .collect();
        let rules = CATALOGUE.iter().flat_map(|(_, rules)| rules.iter());
        let rows: Vec<String> = rules.map(|rule| row(rule)).collect();
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
