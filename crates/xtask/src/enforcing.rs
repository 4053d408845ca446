//! `cargo xtask enforcing`: the packages tried on kernels that enforce, and the table of how that went.
//!
//! A verb of its own and no part of `cargo xtask test`: where no virtual machine can use the processor, each instruction of it is emulated, and
//! linking a whole policy there takes minutes. Machines, steps and table are `tests/enforcing`'s.

use keyroster_testkit::{Result, require_root};

use crate::install::{self, Tool};
use crate::package::{self, trial};
use crate::workspace::Workspace;

/// Builds, makes two versions, tries them with each of these systems (none is all), and writes `docs/enforcing-matrix.md`.
pub fn run(options: &package::Options, systems: &[String]) -> Result {
    require_root()?;
    let workspace = &Workspace::find()?;
    install::packages(&trial::tools())?;
    install::packages(&[Tool::Qemu, Tool::Ext4])?;
    let document = trial::document(workspace, options, ("keyroster-enforcing", systems))?;
    let to = systems.is_empty().then_some("docs/enforcing-matrix.md");
    trial::publish(workspace, &document, to)
}
