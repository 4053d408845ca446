//! Becoming root, for what sshd and logins as other accounts need.

use std::os::unix::process::CommandExt;
use std::process::Command;

use keyroster_testkit::{Failure, Result, require_root};

use crate::shell;

/// Returns when this process is root; else runs this program again through sudo, in this process's place.
pub fn become_root(arguments: &[&str]) -> Result {
    let Err(failure) = require_root() else {
        return Ok(());
    };
    if !shell::succeeds(Command::new("sudo").arg("-V")) {
        return Err(failure);
    }
    println!("root is needed for sshd and accounts of its own: asking sudo");
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot find this program: {error}")))?;
    let mut command = Command::new("sudo");
    command.arg("--").arg("env");
    for name in [
        "PATH",
        "CARGO",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "CARGO_TARGET_DIR",
    ] {
        if let Ok(value) = std::env::var(name) {
            command.arg(format!("{name}={value}"));
        }
    }
    let error = command.arg(program).args(arguments).exec();
    Err(Failure::new(format!("cannot run sudo: {error}")))
}
