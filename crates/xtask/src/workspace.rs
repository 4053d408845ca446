//! Where things are, as cargo tells it.

use std::path::{Path, PathBuf};
use std::process::Command;

use keyroster_testkit::{Failure, Result};
use serde::Deserialize;

use crate::shell;

/// How the programs are built. Lookup is always built for release: its size and speed are part of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Fast to build.
    Debug,
    /// As shipped.
    Release,
}

impl Profile {
    /// The name of cargo's directory for it, and of ours.
    pub fn dir(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

/// The checked-out project and its target directory.
#[derive(Debug)]
pub struct Workspace {
    /// The directory of the root manifest.
    pub root: PathBuf,
    /// cargo's target directory.
    pub target: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    pub fn find() -> Result<Self> {
        #[derive(Deserialize)]
        struct Metadata {
            workspace_root: PathBuf,
            target_directory: PathBuf,
        }
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let mut command = cargo();
        command
            .args([
                "metadata",
                "--format-version=1",
                "--no-deps",
                "--manifest-path",
            ])
            .arg(manifest);
        let said: Metadata = parse_json("cargo metadata", &shell::output(&mut command)?)?;
        Ok(Self {
            root: said.workspace_root,
            target: said.target_directory,
        })
    }

    /// cargo, run in the project's root, for this target directory.
    pub fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root);
        command.env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Where `build` puts the programs.
    pub fn dist(&self, profile: Profile) -> PathBuf {
        self.target.join("dist").join(profile.dir())
    }
}

/// Reads JSON that the program `source` printed.
pub fn parse_json<T: for<'a> Deserialize<'a>>(source: &str, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("cannot read what {source} says: {error}")))
}

/// The cargo that runs us, so that a toolchain chosen by the caller stays chosen.
///
/// Without what `cargo run` tells us about our own package: build scripts that watch those variables would run again, and
/// most of the tree with them, whenever somebody changes between `cargo xtask` and plain cargo.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}
