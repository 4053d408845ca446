//! What the workspace says about itself: nothing that stands in Cargo.toml is written down a second time.

use std::collections::BTreeMap;
use std::process::Command;

use keyroster_testkit::{Failure, Result};
use serde::Deserialize;

use super::Name;
use crate::shell;
use crate::workspace::{Workspace, parse_json};

/// The facts that every package has in common, and the words of each.
#[derive(Debug)]
pub struct Facts {
    /// Of the workspace: `0.1.0`.
    pub version: String,
    /// Counts the packages of this version.
    pub revision: u32,
    /// As an SPDX expression.
    pub licence: String,
    /// Where the project is.
    pub homepage: String,
    /// Name and address.
    pub maintainer: String,
    /// The time of the last commit, in seconds since the Unix epoch: the only time in a package.
    pub epoch: u64,
    words: BTreeMap<String, Words>,
}

/// What one package says of itself.
#[derive(Debug, Clone, Deserialize)]
pub struct Words {
    /// One line.
    pub summary: String,
    /// A paragraph.
    pub description: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    metadata: Own,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
}

#[derive(Deserialize)]
struct Own {
    packages: Packages,
}

#[derive(Deserialize)]
struct Packages {
    maintainer: String,
    #[serde(flatten)]
    words: BTreeMap<String, Words>,
}

impl Facts {
    /// Asks cargo and git.
    pub fn read(workspace: &Workspace, revision: u32) -> Result<Self> {
        let mut metadata = workspace.cargo();
        metadata.args(["metadata", "--format-version=1", "--no-deps", "--locked"]);
        let said: Metadata = parse_json("cargo metadata", &shell::output(&mut metadata)?)?;
        let agent = said
            .packages
            .into_iter()
            .find(|package| package.name == AGENT)
            .ok_or_else(|| Failure::new(format!("cargo metadata names no package \"{AGENT}\"")))?;
        Ok(Self {
            version: agent.version,
            revision,
            licence: agent.license.unwrap_or_default(),
            homepage: agent.repository.unwrap_or_default(),
            maintainer: said.metadata.packages.maintainer,
            epoch: last_commit(workspace)?,
            words: said.metadata.packages.words,
        })
    }

    /// What this package says of itself.
    pub fn words(&self, name: Name) -> Result<&Words> {
        self.words.get(name.as_str()).ok_or_else(|| {
            Failure::new(format!(
                "Cargo.toml has no [workspace.metadata.packages.{}]",
                name.as_str()
            ))
        })
    }

    /// The epoch in the form of RFC 5322, which a Debian changelog has.
    pub fn mail_date(&self) -> Result<String> {
        self.date("+%a, %d %b %Y %H:%M:%S +0000")
    }

    /// As a changelog of RPM's has it.
    pub fn rpm_date(&self) -> Result<String> {
        self.date("+%a %b %d %Y")
    }

    /// In the form of RFC 3339.
    pub fn iso_date(&self) -> Result<String> {
        self.date("+%Y-%m-%dT%H:%M:%SZ")
    }

    fn date(&self, format: &str) -> Result<String> {
        let mut command = Command::new("date");
        command.env("LC_ALL", "C").args(["--utc", "--date"]);
        command.arg(format!("@{}", self.epoch)).arg(format);
        Ok(shell::output(&mut command)?.trim_end().to_owned())
    }
}

/// What the caller's environment says comes first, as everywhere where builds are reproduced.
fn last_commit(workspace: &Workspace) -> Result<u64> {
    let said = match std::env::var(EPOCH_VARIABLE) {
        Ok(said) => said,
        Err(_) => shell::output(
            Command::new("git")
                .args(["-c", "safe.directory=*", "-C"])
                .arg(&workspace.root)
                .args(["log", "-1", "--format=%ct"]),
        )?,
    };
    said.trim()
        .parse()
        .map_err(|_| Failure::new(format!("\"{}\" is no time of a commit", said.trim())))
}

const AGENT: &str = "keyroster-agent";
/// <https://reproducible-builds.org/specs/source-date-epoch/>
pub const EPOCH_VARIABLE: &str = "SOURCE_DATE_EPOCH";
