//! The matrix: which steps there are, on which systems, and how they went.

use std::path::Path;

use keyroster_testkit::{Failure, Result};

use crate::host::Host;
use crate::machine::Machine;
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
    /// The steps of a host's package.
    pub host: Tried,
    /// The steps of the key server's package.
    pub server: Tried,
}

/// How steps went.
#[derive(Debug, Default)]
pub struct Tried {
    /// Each, in the order of their titles.
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

/// The titles of a host's steps, in order.
pub fn host_titles() -> Vec<&'static str> {
    steps::ALL.iter().map(|step| step.title).collect()
}

/// The titles of a key server's steps, in order.
pub fn server_titles() -> Vec<&'static str> {
    steps::server::ALL.iter().map(|step| step.title).collect()
}

/// Tries every step of a host's package on one system, one after the other on the same root. `tell` hears of each before it begins.
pub fn try_host(
    store: &Path,
    system: System,
    afterwards: Afterwards,
    tell: &mut dyn FnMut(&str),
) -> Result<(Facts, Tried)> {
    tell("a root with its own sshd boots");
    let mut host = Host::start(store, system, afterwards)?;
    let facts = Facts::of(&host)?;
    Ok((facts, try_all(steps::ALL, &mut host, system, tell)))
}

/// The same of the key server's package, on a root of its own.
pub fn try_server(
    store: &Path,
    system: System,
    afterwards: Afterwards,
    tell: &mut dyn FnMut(&str),
) -> Result<Tried> {
    tell("a root for a key server boots");
    let mut machine = Machine::start(store, system, afterwards)?;
    Ok(try_all(steps::server::ALL, &mut machine, system, tell))
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
        let (facts, host) = try_host(Path::new(store), system, afterwards, &mut heading)?;
        let server = try_server(Path::new(store), system, afterwards, &mut heading)?;
        columns.push(Column {
            system,
            facts,
            host,
            server,
        });
    }
    let tried = columns
        .iter()
        .flat_map(|column| [&column.host, &column.server]);
    let failures: Vec<String> = tried
        .filter_map(|tried| tried.failure.as_ref().map(ToString::to_string))
        .collect();
    match failures.is_empty() {
        true => Ok(table::render(&columns)),
        false => Err(Failure::new(failures.join("\n\n"))),
    }
}

fn try_all<Subject>(
    steps: &[Step<Subject>],
    subject: &mut Subject,
    system: System,
    tell: &mut dyn FnMut(&str),
) -> Tried {
    let mut tried = Tried::default();
    for step in steps {
        let outcome = if tried.failure.is_some() {
            Outcome::NotReached
        } else if !(step.on)(system) {
            Outcome::NotHere
        } else {
            tell(step.title);
            tried.note(system, step.title, (step.run)(subject))
        };
        tried.outcomes.push(outcome);
    }
    tried
}

impl Tried {
    fn note(&mut self, system: System, title: &str, result: Result) -> Outcome {
        match result {
            Ok(()) => Outcome::Passed,
            Err(failure) => {
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
