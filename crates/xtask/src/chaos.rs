//! `cargo xtask chaos`: kills key servers, PostgreSQL and host agents, five hundred times each.
//!
//! A quarter of an hour; `cargo xtask test` has a short form of the same.

use keyroster_testkit::{BIN_DIR_VARIABLE, Result, require_root};

use crate::install::Tool;
use crate::workspace::{Profile, Workspace};
use crate::{build, install, shell};

/// How often what is killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Kills of each; 500 when nothing is said.
    pub kills: Option<String>,
}

/// Builds, kills, and prints the report; fails when something acknowledged was lost, or something revoked revived.
pub fn run(options: &Options) -> Result {
    require_root()?;
    let workspace = Workspace::find()?;
    install::packages(&[Tool::Postgres])?;
    build::programs(&workspace, Profile::Debug)?;
    let mut command = workspace.cargo();
    command.args(["run", "--locked", "--package", "keyroster-chaos", "--"]);
    command.args(&options.kills);
    command.env(BIN_DIR_VARIABLE, workspace.dist(Profile::Debug));
    shell::run(&mut command)
}
