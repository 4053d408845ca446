//! `cargo xtask openapi`: the committed description of the HTTP API, written anew from the code.
//!
//! A test of the server's compares the two; this is what to run when it fails.

use std::fs;

use keyroster_testkit::{Failure, Program, Result};

use crate::shell;
use crate::workspace::Workspace;

/// Builds the server and writes what it says.
pub fn run() -> Result {
    let workspace = Workspace::find()?;
    shell::run(
        workspace
            .cargo()
            .args(["build", "--locked", "--package", "keyroster-server"]),
    )?;
    let server = workspace.target.join("debug/keyroster-server");
    let document = Program::at(&server)
        .arg("openapi")
        .finish()?
        .success("keyroster-server openapi")?;
    let path = workspace.root.join("docs/openapi.json");
    fs::write(&path, document).map_err(|error| Failure::io("write", &path, &error))?;
    println!("wrote {}", path.display());
    Ok(())
}
