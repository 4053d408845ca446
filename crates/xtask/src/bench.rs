//! `cargo xtask bench`: what keyroster costs, next to the least that the same thing can cost.
//!
//! Figures of one machine mean little elsewhere, ratios of things that were measured in turn in one run mean more: every
//! row stands beside what it is compared with. The aims are printed with the results, and missing one is no failure: a busy
//! machine must not break a build.

mod break_glass;
mod c_programs;
mod estates;
mod figures;
mod login;
mod lookup;
mod machine;
mod snapshot;

use std::fs;
use std::path::PathBuf;

use keyroster_testkit::{Failure, Result, require_root};
use serde::Serialize;

use crate::install::Tool;
use crate::stage::{Stage, acts};
use crate::steps::Steps;
use crate::workspace::{Profile, Workspace};
use crate::{build, install, shell};

use figures::Aim;
use machine::Machine;

/// How it is to be measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// A tenth of the runs: to see that it works.
    pub quick: bool,
    /// Where the figures go as JSON too.
    pub json: Option<PathBuf>,
}

impl Options {
    /// This many runs, or a tenth of them.
    fn runs(&self, full: u32) -> u32 {
        if self.quick { full / 10 } else { full }
    }
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Results {
    machine: Machine,
    lookup: lookup::Results,
    login: login::Results,
    snapshot: snapshot::Results,
    estates: estates::Results,
    break_glass: break_glass::Results,
    aims: Vec<Aim>,
}

/// Builds for release, measures, and prints the table.
pub fn run(options: &Options) -> Result {
    require_root()?;
    let workspace = Workspace::find()?;
    let mut steps = Steps::new();
    steps.run("tools", || {
        install::packages(&[
            Tool::Ssh,
            Tool::Sshd,
            Tool::Cc,
            Tool::Valgrind,
            Tool::Postgres,
        ])
    })?;
    steps.run("build", || build_all(&workspace))?;
    let mut stage = steps.run("a key server and an enrolled host", || {
        set_stage(&workspace)
    })?;
    let measured = measure(&workspace, &mut stage, &mut steps, options);
    if measured.is_err() {
        stage.save_logs(&workspace.target.join("bench-logs"))?;
    }
    let results = measured?;
    results.print();
    match &options.json {
        Some(path) => write_json(&results, path),
        None => Ok(()),
    }
}

fn build_all(workspace: &Workspace) -> Result {
    build::programs(workspace, Profile::Release)?;
    shell::run(workspace.cargo().args([
        "build",
        "--locked",
        "--release",
        "--package",
        "keyroster-bench",
    ]))
}

fn set_stage(workspace: &Workspace) -> Result<Stage> {
    let mut stage = Stage::set(workspace, Profile::Release)?;
    let acts = [
        acts::init_server,
        acts::run_server,
        acts::log_in,
        acts::add_user,
        acts::add_grant,
        acts::enrol,
        acts::run_agent,
        acts::configure_lookup,
    ];
    acts.into_iter().try_for_each(|act| act(&mut stage))?;
    Ok(stage)
}

fn measure(
    workspace: &Workspace,
    stage: &mut Stage,
    steps: &mut Steps,
    options: &Options,
) -> Result<Results> {
    let machine = Machine::look(workspace)?;
    let lookup = steps.run("lookup", || lookup::measure(stage, options))?;
    let login = steps.run("login", || login::measure(stage, options))?;
    let snapshot = steps.run("snapshot", || snapshot::measure(workspace, stage, options))?;
    let estates = steps.run("estates", || estates::measure(workspace, options))?;
    let break_glass = steps.run("break-glass", || break_glass::measure(workspace, options))?;
    let aims = [
        lookup.aims(),
        login.aims(),
        snapshot.aims(),
        estates.aims(),
        break_glass.aims(),
    ]
    .concat();
    Ok(Results {
        machine,
        lookup,
        login,
        snapshot,
        estates,
        break_glass,
        aims,
    })
}

impl Results {
    fn print(&self) {
        println!("{}\n", self.machine);
        self.lookup.print();
        self.login.print();
        self.snapshot.print();
        self.estates.print();
        self.break_glass.print();
        println!("{:<58} {:>9}  aim", "", "measured");
        for aim in &self.aims {
            println!("{aim}");
        }
    }
}

fn write_json(results: &Results, path: &PathBuf) -> Result {
    let text = serde_json::to_string_pretty(results)
        .map_err(|error| Failure::new(format!("cannot write the figures as JSON: {error}")))?;
    fs::write(path, text + "\n").map_err(|error| Failure::io("write", path, &error))?;
    println!("\nwrote {}", path.display());
    Ok(())
}
