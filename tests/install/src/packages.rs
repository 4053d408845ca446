//! The packages that are tried: this version's, and those of the version before.

use std::fs;
use std::path::{Path, PathBuf};

use keyroster_testkit::{Failure, Result};

use crate::release::System;

/// Names the directory with this version's packages.
pub const PACKAGES_VARIABLE: &str = "KEYROSTER_PACKAGES";
/// Names the directory with the packages of the version before.
pub const PREVIOUS_VARIABLE: &str = "KEYROSTER_PREVIOUS_PACKAGES";

/// Where the packages of two versions lie.
#[derive(Debug, Clone)]
pub struct Packages {
    current: PathBuf,
    previous: PathBuf,
}

impl Packages {
    /// From the variables that `cargo xtask` sets.
    pub fn from_environment() -> Result<Self> {
        Ok(Self {
            current: directory(PACKAGES_VARIABLE)?,
            previous: directory(PREVIOUS_VARIABLE)?,
        })
    }

    /// One package of this version, in the system's format.
    pub fn current(&self, system: System, name: &str) -> Result<PathBuf> {
        find(&self.current, system, name)
    }

    /// The same of the version before.
    pub fn previous(&self, system: System, name: &str) -> Result<PathBuf> {
        find(&self.previous, system, name)
    }
}

fn directory(variable: &str) -> Result<PathBuf> {
    let value = std::env::var_os(variable).map(PathBuf::from);
    value.ok_or_else(|| {
        Failure::new(format!(
            "{variable} is not set\nhint: `cargo xtask package --test --only debian-12` makes the packages and tries them"
        ))
    })
}

fn find(dir: &Path, system: System, name: &str) -> Result<PathBuf> {
    let (mark, extension) = match system {
        System::Debian(_) => ("_", "deb"),
        System::Rpm => ("-", "rpm"),
    };
    let entries = fs::read_dir(dir).map_err(|error| Failure::io("read", dir, &error))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    let found = paths.find(|path| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let rest = file
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(mark));
        // `keyroster-0.1.0…` and not `keyroster-host-0.1.0…`.
        rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
            && path.extension().is_some_and(|found| found == extension)
    });
    found.ok_or_else(|| {
        Failure::new(format!(
            "no package \"{name}\" as .{extension} in \"{}\"",
            dir.display()
        ))
    })
}
