//! `cargo xtask advisories`: known vulnerabilities in what we depend on.
//!
//! Apart from `test`: the database must be fetched, which a build machine without a network cannot do, and a new advisory
//! must not fail a change that has nothing to do with it.

use keyroster_testkit::Result;

use crate::workspace::Workspace;
use crate::{install, shell};

/// Fetches the database and compares.
pub fn run() -> Result {
    let workspace = Workspace::find()?;
    install::cargo_tool(&workspace, "deny", install::CARGO_DENY)?;
    shell::run(workspace.cargo().args(["deny", "check", "advisories"]))
}
