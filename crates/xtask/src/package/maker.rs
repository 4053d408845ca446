//! What the makers of all formats share: the programs, a scratch directory, and the tools that they call.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keyroster_testkit::{Failure, Result};

use super::facts::{EPOCH_VARIABLE, Facts};
use super::manual;
use super::sbom::Libraries;
use crate::shell;
use crate::workspace::{Profile, Workspace};

/// Everything that is the same for all packages of one run.
pub struct Maker<'a> {
    /// The tree that is packaged.
    pub workspace: &'a Workspace,
    /// What it says of itself.
    pub facts: &'a Facts,
    /// How the programs were built.
    pub profile: Profile,
    /// Where the packages go.
    pub out: &'a Path,
    /// What is linked into the programs.
    pub libraries: Libraries,
    scratch: PathBuf,
}

impl<'a> Maker<'a> {
    /// Copies the programs without what only debuggers read, so that each has one form in every package.
    pub fn new(
        workspace: &'a Workspace,
        facts: &'a Facts,
        profile: Profile,
        out: &'a Path,
    ) -> Result<Self> {
        let scratch = workspace
            .target
            .join("package")
            .join(std::process::id().to_string());
        let maker = Self {
            workspace,
            facts,
            profile,
            out,
            libraries: Libraries::read(workspace)?,
            scratch,
        };
        maker.fresh("programs")?;
        for program in crate::build::PROGRAMS {
            let (from, to) = (
                workspace.dist(profile).join(program),
                maker.stripped(program),
            );
            shell::run(Command::new("strip").arg("-o").arg(&to).arg(&from))?;
        }
        manual::write(workspace, &maker.fresh("manual")?)?;
        Ok(maker)
    }

    /// Where the manual pages and the completions are.
    pub fn manual(&self) -> PathBuf {
        self.scratch.join("manual")
    }

    /// An empty directory of this name.
    pub fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.scratch.join(name);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|error| Failure::io("remove", &path, &error))?;
        }
        fs::create_dir_all(&path).map_err(|error| Failure::io("make directory", &path, &error))?;
        Ok(path)
    }

    /// A program as it goes into a package.
    pub fn stripped(&self, program: &str) -> PathBuf {
        self.scratch.join("programs").join(program)
    }

    /// A tool that writes what is shipped: it gets the one time that may appear, and no locale.
    pub fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env(EPOCH_VARIABLE, self.facts.epoch.to_string())
            .env("LC_ALL", "C")
            .env("TZ", "UTC");
        command
    }

    /// These bytes, compressed without a name or a time.
    pub fn gzip(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let input = self.fresh("gzip")?.join("input");
        fs::write(&input, bytes).map_err(|error| Failure::io("write", &input, &error))?;
        let mut command = self.tool("gzip");
        command.args(["-9", "-n", "-c"]).arg(&input);
        command.stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = command
            .output()
            .map_err(|error| Failure::io("compress", &input, &error))?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(Failure::new(format!("gzip ended with {}", output.status)))
        }
    }
}

impl Drop for Maker<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.scratch);
    }
}
