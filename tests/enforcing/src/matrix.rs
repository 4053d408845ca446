//! The table's contents: which steps there are, on which systems, and how they went.

use std::path::Path;

use keyroster_testkit::{Failure, Result};

use crate::control::Control;
use crate::host::Host;
use crate::image::Image;
use crate::steps::{self, Denied, Step};
use crate::table;

/// How one system's column came out.
#[derive(Debug)]
pub struct Column {
    /// The system.
    pub control: Control,
    /// What the machine says of itself.
    pub facts: Facts,
    /// How each step went, in the order of [`titles`].
    pub outcomes: Vec<Outcome>,
    /// Why the last step that was tried failed.
    pub failure: Option<Failure>,
}

/// Versions, read in the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Of the kernel.
    pub kernel: String,
    /// Of the packages that enforce, or know what to.
    pub packages: String,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// A step before it failed.
    NotReached,
}

/// The steps' titles, in order.
pub fn titles() -> Vec<&'static str> {
    steps::ALL.iter().map(|step| step.title).collect()
}

/// Tries every step with one system, one after the other on the same machine. `tell` hears of each before it begins.
pub fn run(store: &Path, control: Control, tell: &mut dyn FnMut(&str)) -> Result<Column> {
    tell("a machine boots");
    let image = Image::below(store)?;
    let mut host = Host::start(&image, control)?;
    let mut column = Column {
        control,
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

/// Runs what a command line names: `STORE [SYSTEM…]`. Returns the document; fails when a step has failed.
pub fn main(arguments: impl Iterator<Item = String>, tell: &mut dyn FnMut(&str)) -> Result<String> {
    let arguments: Vec<String> = arguments.collect();
    let (store, controls) = arguments
        .split_first()
        .ok_or_else(|| Failure::new("no directory for machines is named"))?;
    let controls: Result<Vec<Control>> = controls.iter().map(|name| name.parse()).collect();
    let mut controls = controls?;
    if controls.is_empty() {
        controls = Control::ALL.to_vec();
    }
    let mut columns = Vec::new();
    for control in controls {
        let mut heading = |line: &str| tell(&format!("{control}: {line}"));
        columns.push(run(Path::new(store), control, &mut heading)?);
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
        tell(step.title);
        let tried = (step.run)(host).and_then(|()| must_be_undisturbed(step, host));
        match tried {
            Ok(()) => Outcome::Passed,
            Err(failure) => {
                let (control, title) = (self.control, step.title);
                self.failure = Some(Failure::new(format!("{control}, \"{title}\": {failure}")));
                Outcome::Failed
            }
        }
    }
}

/// A step that works although something was denied has a rule missing all the same.
fn must_be_undisturbed(step: &Step, host: &mut Host) -> Result {
    match step.denials {
        Denied::Nothing => host.denials.must_be_none(&host.machine),
        Denied::OnPurpose => host.denials.since(&host.machine).map(drop),
    }
}

impl Facts {
    fn of(host: &Host) -> Result<Self> {
        let packages = match host.control {
            Control::SeLinux => "selinux-policy-default libselinux1 systemd openssh-server",
            Control::AppArmor => "apparmor systemd openssh-server",
        };
        let query = "dpkg-query --show --showformat='${Package} ${Version}, '";
        let listed = host.must(&format!("{query} {packages}"))?;
        Ok(Self {
            kernel: host.must("uname -r")?.trim().to_owned(),
            packages: listed.trim_end_matches(", ").to_owned(),
        })
    }
}
