//! `cargo xtask model`: the check of every state in its largest scope.
//!
//! Minutes, and two gigabytes; `cargo xtask test` has smaller scopes of the same.

use keyroster_testkit::Result;

use crate::shell;
use crate::workspace::Workspace;

/// Visits every state, and prints how many there were.
pub fn run() -> Result {
    let mut command = Workspace::find()?.cargo();
    command.args(["test", "--locked", "--package", "keyroster-model", "--lib"]);
    command.args(["--", "--ignored", "--nocapture", "--test-threads=1"]);
    shell::run(&mut command)
}
