//! `cargo xtask fault-matrix`: the committed table of faults, written anew from the one that is tested.
//!
//! A test of `tests/faults` compares the two; this is what to run when it fails.

use std::fs;

use keyroster_testkit::{Failure, Program, Result};

use crate::shell;
use crate::workspace::Workspace;

/// Builds the table and writes what it says.
pub fn run() -> Result {
    let workspace = Workspace::find()?;
    shell::run(
        workspace
            .cargo()
            .args(["build", "--locked", "--package", "keyroster-faults"]),
    )?;
    let printer = workspace.target.join("debug/fault-matrix");
    let document = Program::at(&printer).finish()?.success("fault-matrix")?;
    let path = workspace.root.join("docs/fault-matrix.md");
    fs::write(&path, document).map_err(|error| Failure::io("write", &path, &error))?;
    println!("wrote {}", path.display());
    Ok(())
}
