//! The checks: each a module with its rules and one pure function from facts to findings.

pub mod accounts;
pub mod apparmor;
pub mod authentication;
pub mod break_glass;
pub mod certificates;
pub mod cis;
pub mod clock;
pub mod command;
pub mod key_files;
pub mod limits;
pub mod lookup;
pub mod paths;
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
    ("cis", cis::RULES),
];
