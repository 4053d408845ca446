//! The matrix: which steps there are, on which systems, and how they went.

use std::path::Path;

use keyroster_testkit::{Failure, Result};

use crate::host::Host;
use crate::release::System;
use crate::root::Afterwards;
use crate::steps::{self, Step};
use crate::table;

/// How one system's column came out.
#[derive(Debug)]
pub struct Column {
    /// The system.
    pub system: System,
    /// What its root says of itself.
    pub facts: Facts,
    /// How each step went, in the order of [`titles`].
    pub outcomes: Vec<Outcome>,
    /// Why the last step that was tried failed.
    pub failure: Option<Failure>,
}

/// Versions, read from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Of Debian.
    pub debian: String,
    /// Of the package `openssh-server`.
    pub openssh: String,
    /// Of the package `systemd`.
    pub systemd: String,
}

/// How a step went on a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// There is nothing to try on this system.
    NotHere,
    /// A step before it failed.
    NotReached,
}

/// The steps' titles, in order.
pub fn titles() -> Vec<&'static str> {
    steps::ALL.iter().map(|step| step.title).collect()
}

/// Tries every step on one system, one after the other on the same root. `tell` hears of each before it begins.
pub fn run(
    store: &Path,
    system: System,
    afterwards: Afterwards,
    tell: &mut dyn FnMut(&str),
) -> Result<Column> {
    tell("a root with its own sshd boots");
    let mut host = Host::start(store, system, afterwards)?;
    let mut column = Column {
        system,
        facts: Facts::of(&host)?,
        outcomes: Vec::new(),
        failure: None,
    };
    for step in steps::ALL {
        let outcome = column.try_step(step, &mut host, tell);
        column.outcomes.push(outcome);
    }
    Ok(column)
}

/// Runs what a command line names: `STORE [--keep] [SYSTEM…]`. Returns the document; fails when a step has failed.
pub fn main(arguments: impl Iterator<Item = String>, tell: &mut dyn FnMut(&str)) -> Result<String> {
    let (keep, arguments): (Vec<String>, Vec<String>) =
        arguments.partition(|word| word == "--keep");
    let (store, systems) = arguments
        .split_first()
        .ok_or_else(|| Failure::new("no directory for roots is named"))?;
    let systems: Result<Vec<System>> = systems.iter().map(|name| name.parse()).collect();
    let mut systems = systems?;
    if systems.is_empty() {
        systems = System::ALL.to_vec();
    }
    let afterwards = match keep.is_empty() {
        true => Afterwards::Remove,
        false => Afterwards::Keep,
    };
    let mut columns = Vec::new();
    for system in systems {
        let mut heading = |line: &str| tell(&format!("{system}: {line}"));
        columns.push(run(Path::new(store), system, afterwards, &mut heading)?);
    }
    let failures: Vec<String> = columns
        .iter()
        .filter_map(|column| column.failure.as_ref().map(ToString::to_string))
        .collect();
    match failures.is_empty() {
        true => Ok(table::render(&columns)),
        false => Err(Failure::new(failures.join("\n\n"))),
    }
}

impl Column {
    fn try_step(&mut self, step: &Step, host: &mut Host, tell: &mut dyn FnMut(&str)) -> Outcome {
        if self.failure.is_some() {
            return Outcome::NotReached;
        }
        if !(step.on)(self.system) {
            return Outcome::NotHere;
        }
        tell(step.title);
        match (step.run)(host) {
            Ok(()) => Outcome::Passed,
            Err(failure) => {
                let (system, title) = (self.system, step.title);
                self.failure = Some(Failure::new(format!("{system}, \"{title}\": {failure}")));
                Outcome::Failed
            }
        }
    }
}

impl Facts {
    fn of(host: &Host) -> Result<Self> {
        let version = |package: &str| {
            let query = ["dpkg-query", "--show", "--showformat=${Version}", package];
            host.root.must(&query)
        };
        let facts = Self {
            debian: host.root.read("/etc/debian_version")?.trim().to_owned(),
            openssh: version("openssh-server")?,
            systemd: version("systemd")?,
        };
        let expected = host.system().release().openssh();
        if facts.openssh.contains(expected) {
            return Ok(facts);
        }
        let (system, found) = (host.system(), &facts.openssh);
        Err(Failure::new(format!(
            "{system} has OpenSSH {found} and not {expected}"
        )))
    }
}
