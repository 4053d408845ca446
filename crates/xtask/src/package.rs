//! `cargo xtask package`: what package managers install, made of the workspace's own metadata.
//!
//! The layout of each package is a table ([`contents`]), laid out once and handed to Debian's and RPM's own makers
//! (`dpkg-deb`, `rpmbuild`): what they write is what their package managers read, and both promise the same bytes for the
//! same input. Nothing is generated that depends on the machine or the moment; the one time that appears is the last
//! commit's.

use std::fs;
use std::path::PathBuf;

use keyroster_testkit::{Failure, Result};

use crate::install::{self, Tool};
use crate::workspace::{Profile, Workspace};
use crate::{build, shell};

pub mod check;
mod contents;
mod copyright;
mod deb;
mod facts;
mod libraries;
mod maker;
mod manual;
mod oldest;
mod recipes;
mod rpm;
mod sbom;
mod scripts;
mod tarball;
mod tree;
pub mod trial;
pub mod twice;
mod units;

pub use facts::Facts;

/// What to make, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How the programs are built.
    pub profile: Profile,
    /// Where the packages go; `target/packages` unless told.
    pub out: Option<PathBuf>,
    /// Which packages; none is all.
    pub only: Vec<Name>,
    /// In which formats; none is all.
    pub formats: Vec<Format>,
    /// Counts the packages of one version: an upgrade from 0.1.0-1 goes to 0.1.0-2.
    pub revision: u32,
    /// Take the programs that `cargo xtask build` left behind.
    pub built: bool,
}

/// One of our packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// What a host needs.
    Host,
    /// The key server.
    Server,
    /// The command line.
    Cli,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Host, Self::Server, Self::Cli];

    /// The package's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "keyroster-host",
            Self::Server => "keyroster-server",
            Self::Cli => "keyroster",
        }
    }
}

/// A package manager's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Debian's.
    Deb,
    /// RPM's.
    Rpm,
    /// Files alone.
    Tar,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Deb, Self::Rpm, Self::Tar];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Tar => "tar",
        }
    }
}

/// Builds the programs and makes the packages; says where they are.
pub fn run(options: &Options) -> Result {
    let workspace = Workspace::find()?;
    build_and_make(&workspace, options).map(drop)
}

fn build_and_make(workspace: &Workspace, options: &Options) -> Result<Vec<PathBuf>> {
    install::packages(&[Tool::Binutils, Tool::Rpm])?;
    build(workspace, options)?;
    let made = make(workspace, options)?;
    for path in &made {
        println!("{}", path.display());
    }
    Ok(made)
}

/// Builds the programs and what writes their pages, unless that was done.
fn build(workspace: &Workspace, options: &Options) -> Result {
    if options.built {
        return Ok(());
    }
    match options.profile {
        Profile::Debug => build::programs(workspace, options.profile)?,
        Profile::Release => {
            oldest::programs(workspace, &Facts::read(workspace, options.revision)?)?;
        }
    }
    manual::build(workspace)
}

/// Makes the packages of programs that are built.
pub fn make(workspace: &Workspace, options: &Options) -> Result<Vec<PathBuf>> {
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| workspace.target.join("packages"));
    fs::create_dir_all(&out).map_err(|error| Failure::io("make directory", &out, &error))?;
    let facts = Facts::read(workspace, options.revision)?;
    let maker = maker::Maker::new(workspace, &facts, options.profile, &out)?;
    let mut made = Vec::new();
    for name in chosen(&options.only, &Name::ALL) {
        for format in chosen(&options.formats, &Format::ALL) {
            made.push(match format {
                Format::Deb => deb::make(&maker, name)?,
                Format::Rpm => rpm::make(&maker, name)?,
                Format::Tar => tarball::make(&maker, name)?,
            });
        }
    }
    made.push(checksums(&maker, &made)?);
    Ok(made)
}

/// `SHA256SUMS`, which `sha256sum --check` reads.
fn checksums(maker: &maker::Maker<'_>, made: &[PathBuf]) -> Result<PathBuf> {
    let mut command = maker.tool("sha256sum");
    command.current_dir(maker.out).arg("--");
    command.args(made.iter().filter_map(|path| path.file_name()));
    let path = maker.out.join("SHA256SUMS");
    fs::write(&path, shell::output(&mut command)?)
        .map_err(|error| Failure::io("write", &path, &error))?;
    Ok(path)
}

fn chosen<T: Copy>(asked: &[T], all: &[T]) -> Vec<T> {
    if asked.is_empty() { all } else { asked }.to_vec()
}
