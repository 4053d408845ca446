//! The packages, judged: in `cargo xtask test`, of the programs that the run builds anyway.
//!
//! Made twice and compared byte by byte; then by the distributions' own judges, with every exception in a file that says why.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyroster_testkit::{Failure, Result};

use super::{Name, Options, recipes, scripts, units};
use crate::install::{self, Tool};
use crate::shell;
use crate::workspace::{Profile, Workspace};

/// Everything, of programs that are built.
pub fn all(workspace: &Workspace) -> Result {
    install::packages(&[
        Tool::Binutils,
        Tool::Rpm,
        Tool::Lintian,
        Tool::Rpmlint,
        Tool::Man,
        Tool::Makepkg,
        Tool::Nix,
    ])?;
    let first = made(workspace, FIRST)?;
    let second = made(workspace, "second")?;
    same_bytes(&first, &second)?;
    lintian(&ending(&first, "deb"))?;
    rpmlint(workspace, &ending(&first, "rpm"))?;
    for package in ending(&first, "deb") {
        let listed = shell::output(Command::new("dpkg-deb").arg("--contents").arg(package))?;
        check_owners_and_modes(package, &listed)?;
        check_scripts(workspace, package)?;
    }
    for package in ending(&first, "rpm") {
        let listed = shell::output(Command::new("rpm").args(RPM_LISTED).arg(package))?;
        check_owners_and_modes(package, &listed)?;
    }
    for package in ending(&first, "gz") {
        let listed = shell::output(
            Command::new("tar")
                .args(["--list", "--verbose", "--file"])
                .arg(package),
        )?;
        check_owners_and_modes(package, &listed)?;
    }
    check_rpm_scripts(workspace)?;
    check_sums(&out(workspace, FIRST))?;
    units::verify(workspace)?;
    recipes::check(workspace, &ending(&first, "deb"))
}

fn made(workspace: &Workspace, name: &str) -> Result<Vec<PathBuf>> {
    super::make(workspace, &options(workspace, name))
}

/// Everything that there is, of programs that were built for the tests.
pub fn options(workspace: &Workspace, name: &str) -> Options {
    Options {
        profile: Profile::Debug,
        out: Some(out(workspace, name)),
        only: Vec::new(),
        formats: Vec::new(),
        revision: 1,
        built: true,
    }
}

/// Where they are made.
pub fn out(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.target.join("packages-checked").join(name)
}

fn same_bytes(first: &[PathBuf], second: &[PathBuf]) -> Result {
    for (one, other) in first.iter().zip(second) {
        shell::run(Command::new("cmp").arg(one).arg(other))?;
    }
    println!("{} files, twice the same bytes", first.len());
    Ok(())
}

fn ending<'a>(made: &'a [PathBuf], extension: &str) -> Vec<&'a Path> {
    let paths = made.iter().map(PathBuf::as_path);
    paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

fn lintian(packages: &[&Path]) -> Result {
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error,warning"]);
    shell::run(lintian.args(["--tag-display-limit", "0"]).args(packages))
}

fn rpmlint(workspace: &Workspace, packages: &[&Path]) -> Result {
    let exceptions = workspace.root.join("packaging/rpm/rpmlintrc.toml");
    let mut rpmlint = Command::new("rpmlint");
    rpmlint.arg("--strict").arg("--config").arg(exceptions);
    shell::run(rpmlint.args(packages))
}

/// sshd's rule about its key command, and ours about everything else: root's, and nobody else's to write.
fn check_owners_and_modes(package: &Path, listed: &str) -> Result {
    let wrong: Vec<&str> = listed
        .lines()
        .filter(|line| !is_roots_alone(line))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let package = package.display();
    Err(Failure::new(format!("\"{package}\": {}", wrong.join("\n"))))
}

/// A line as `tar` lists it: `drwxr-xr-x root/root 0 2026-11-21 14:31 ./usr/`. The owner may be a number.
fn is_roots_alone(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let (mode, owner) = (words.next().unwrap_or_default(), words.next());
    let modes = ["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx"];
    matches!(owner, Some("root/root" | "0/0")) && modes.contains(&mode)
}

/// As they are run: put together, and taken out of the package again.
fn check_scripts(workspace: &Workspace, package: &Path) -> Result {
    let dir = workspace.target.join("packages-checked/scripts");
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(|error| Failure::io("remove", &dir, &error))?;
    }
    shell::run(
        Command::new("dpkg-deb")
            .arg("--control")
            .arg(package)
            .arg(&dir),
    )?;
    let scripts = ["preinst", "postinst", "prerm", "postrm"].map(|name| dir.join(name));
    let there: Vec<&PathBuf> = scripts.iter().filter(|script| script.exists()).collect();
    if there.is_empty() {
        return Ok(());
    }
    shell::run(Command::new("shellcheck").args(there))
}

/// As rpm runs them: put together, by the shell that it takes unless told.
fn check_rpm_scripts(workspace: &Workspace) -> Result {
    for name in Name::ALL {
        for (script, text) in scripts::of(workspace, "rpm", name.as_str())? {
            let path = workspace.target.join("packages-checked").join(script);
            fs::write(&path, text).map_err(|error| Failure::io("write", &path, &error))?;
            shell::run(Command::new("shellcheck").arg("--shell=sh").arg(&path))?;
        }
    }
    Ok(())
}

/// What lies beside the packages is what whoever fetches them would run.
fn check_sums(dir: &Path) -> Result {
    let mut command = Command::new("sha256sum");
    command.args(["--check", "--strict", "--quiet", "SHA256SUMS"]);
    shell::run(command.current_dir(dir))
}

/// Lists as `tar` does.
const RPM_LISTED: [&str; 4] = [
    "--query",
    "--package",
    "--queryformat",
    "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]",
];
/// Those that were made first, which tests install.
pub const FIRST: &str = "first";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_write_or_own_is_found() {
        assert!(is_roots_alone(
            "drwxr-xr-x root/root 0 2026-11-21 14:31 ./usr/"
        ));
        assert!(!is_roots_alone(
            "drwxrwxr-x root/root 0 2026-11-21 14:31 ./usr/"
        ));
        assert!(!is_roots_alone(
            "-rw-r--r-- adm/root 0 2026-11-21 14:31 ./usr/x"
        ));
        assert!(!is_roots_alone(
            "-rwsr-xr-x root/root 0 2026-11-21 14:31 ./usr/x"
        ));
    }
}
