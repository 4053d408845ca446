//! `cargo xtask demo`: a real login, decided by the key server.
//!
//! Everything happens through the programs as a person would type them, in a directory and under accounts of the demo's
//! own, on loopback ports that nobody else has. sshd runs unprivileged, so it can let in only the account that it runs
//! as; root is needed to make that account, and because sshd runs no key command that others than root could replace.

mod interrupt;
mod story;

use keyroster_testkit::Result;

use crate::install::Tool;
use crate::root::become_root;
use crate::stage::Stage;
use crate::steps::{Steps, short};
use crate::workspace::{Profile, Workspace};
use crate::{build, install};

use interrupt::Interrupt;

/// How the demo is to be given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Leave everything running at the end, until Ctrl-C.
    pub keep: bool,
    /// The programs are built already: what the run through sudo passes to itself.
    pub built: bool,
}

/// Builds the programs, becomes root, and gives the demo.
pub fn run(options: Options) -> Result {
    let workspace = Workspace::find()?;
    if !options.built {
        build::programs(&workspace, Profile::Debug)?;
    }
    let mut arguments = vec!["demo", "--built"];
    if options.keep {
        arguments.push("--keep");
    }
    become_root(&arguments)?;
    install::packages(&[Tool::Ssh, Tool::Sshd])?;
    tell(&workspace, options)
}

/// Gives the demo with the programs that `build` gathered.
pub fn tell(workspace: &Workspace, options: Options) -> Result {
    let interrupt = Interrupt::watch()?;
    let mut steps = Steps::new();
    let mut stage = steps.tell(
        "a directory, three accounts and a key of the demo's own",
        || Stage::set(workspace, Profile::Debug),
    )?;
    if let Err(failure) = story::tell(&mut stage, &mut steps, &interrupt) {
        stage.save_logs(&workspace.target.join("demo-logs"))?;
        return Err(failure);
    }
    println!("all of it in {}", short(steps.total()));
    if options.keep {
        stage.say_how_to_go_on();
        interrupt.wait();
    }
    Ok(())
}
