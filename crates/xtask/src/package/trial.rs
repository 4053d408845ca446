//! `cargo xtask package --test`: the packages tried in real roots, and the table of how that went.
//!
//! Two revisions are made of the same programs, so that there is something to upgrade from and to go back to. Roots, steps and table
//! are `tests/install`'s; here is only what they need from outside.

use std::fs;
use std::path::{Path, PathBuf};

use keyroster_testkit::{BIN_DIR_VARIABLE, Failure, Result, RootDir, require_root};

use super::{Format, Name, Options, check, make};
use crate::build;
use crate::install::{self, Tool};
use crate::shell;
use crate::workspace::{Profile, Workspace};

/// What to try.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// Which systems; none is all, and only then the document is written.
    pub systems: Vec<String>,
    /// Leave the roots where they are.
    pub keep: bool,
}

/// Packages of this version and of the one before.
#[derive(Debug)]
pub struct Versions {
    current: PathBuf,
    previous: PathBuf,
}

impl Versions {
    /// Makes both of programs that are built.
    fn make(workspace: &Workspace, options: &Options) -> Result<Self> {
        let current = fresh(workspace, "current")?;
        let options = Options {
            out: Some(current.clone()),
            formats: vec![Format::Deb, Format::Rpm],
            ..options.clone()
        };
        make(workspace, &options)?;
        Self::before(workspace, current, &options)
    }

    /// The packages that [`check`] has judged, and those of the version before, for the tests.
    pub fn checked(workspace: &Workspace) -> Result<Self> {
        let options = Options {
            formats: vec![Format::Deb],
            ..check::options(workspace, check::FIRST)
        };
        Self::before(workspace, check::out(workspace, check::FIRST), &options)
    }

    /// A revision of 0 comes before the first. The command line alone is never upgraded here.
    fn before(workspace: &Workspace, current: PathBuf, options: &Options) -> Result<Self> {
        let previous = fresh(workspace, "previous")?;
        let options = Options {
            out: Some(previous.clone()),
            only: vec![Name::Host, Name::Server],
            revision: 0,
            ..options.clone()
        };
        make(workspace, &options)?;
        Ok(Self { current, previous })
    }

    /// The variables that tell tests where they are.
    pub fn variables(&self) -> [(&'static str, &Path); 2] {
        [
            ("KEYROSTER_PACKAGES", &self.current),
            ("KEYROSTER_PREVIOUS_PACKAGES", &self.previous),
        ]
    }
}

/// What trials need on the machine.
pub fn tools() -> [Tool; 5] {
    [
        Tool::Binutils,
        Tool::Rpm,
        Tool::Debootstrap,
        Tool::Nspawn,
        Tool::Ssh,
    ]
}

/// Builds, makes both versions, tries them, and writes `docs/install-matrix.md`.
pub fn run(options: &Options, trial: &Trial) -> Result {
    require_root()?;
    must_run_everywhere(options.profile, trial)?;
    let workspace = &Workspace::find()?;
    install::packages(&tools())?;
    let mut arguments = trial.systems.clone();
    if trial.keep {
        arguments.push("--keep".to_owned());
    }
    let document = document(workspace, options, ("keyroster-install", &arguments))?;
    let to = trial.systems.is_empty().then_some("docs/install-matrix.md");
    publish(workspace, &document, to)
}

/// Builds and makes both versions, and has a crate's program try them, with the directory of roots and these arguments: what it prints.
pub fn document(
    workspace: &Workspace,
    options: &Options,
    (package, arguments): (&str, &[String]),
) -> Result<String> {
    super::build(workspace, options)?;
    let versions = Versions::make(workspace, options)?;
    let programs = RootDir::named("keyroster-programs")?;
    for program in build::PROGRAMS {
        programs.install_file(&workspace.dist(options.profile).join(program))?;
    }
    let mut command = workspace.cargo();
    command.args(["run", "--locked", "--quiet", "--package", package, "--"]);
    command.arg(roots(workspace)).args(arguments);
    command.env(BIN_DIR_VARIABLE, programs.path());
    command.envs(versions.variables());
    shell::output(&mut command)
}

/// Writes a document that is whole; prints one that is not.
pub fn publish(workspace: &Workspace, document: &str, to: Option<&str>) -> Result {
    let Some(to) = to else {
        print!("{document}");
        return Ok(());
    };
    let path = workspace.root.join(to);
    fs::write(&path, document).map_err(|error| Failure::io("write", &path, &error))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Programs that are built as for tests ask for this machine's own glibc, which older systems have not.
fn must_run_everywhere(profile: Profile, trial: &Trial) -> Result {
    match profile {
        Profile::Debug if trial.systems.is_empty() => Err(Failure::new(
            "the whole matrix takes release packages\nhint: leave `--profile dev` out, or name systems of this machine's glibc: `--only debian-12`",
        )),
        Profile::Debug | Profile::Release => Ok(()),
    }
}

/// A directory that holds nothing yet.
fn fresh(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let dir = workspace.target.join("trial-packages").join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(|error| Failure::io("remove", &dir, &error))?;
    }
    Ok(dir)
}

/// Where roots are kept and made; cargo tells tests the same place.
fn roots(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tmp/install-roots")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_tests_programs_are_not_tried_where_they_can_not_start() {
        let only = Trial {
            systems: vec!["debian-12".to_owned()],
            keep: false,
        };
        let all = Trial::default();
        assert!(must_run_everywhere(Profile::Debug, &all).is_err());
        assert!(must_run_everywhere(Profile::Debug, &only).is_ok());
        assert!(must_run_everywhere(Profile::Release, &all).is_ok());
    }
}
