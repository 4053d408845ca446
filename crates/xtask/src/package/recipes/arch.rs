//! Arch's recipe, carried out by makepkg: all but `prepare` and `build`, with the programs of this run in the place of those.
//!
//! What comes out is compared with the .deb, file by file: a unit that somebody adds to one and forgets in the other is found here.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use keyroster_testkit::{Failure, Result, RootDir};

use super::super::{Name, manual};
use crate::build::PROGRAMS;
use crate::shell;
use crate::workspace::{Profile, Workspace};

/// Packs all packages, and compares each with the .deb of its name.
pub fn check(workspace: &Workspace, debs: &[&Path]) -> Result {
    // makepkg refuses root, and whoever it runs as must be able to enter the directory.
    let dir = RootDir::named("keyroster-arch")?;
    lay_out(workspace, dir.path())?;
    shell::run(Command::new("chown").args(["-R", NOBODY]).arg(dir.path()))?;
    make(dir.path())?;
    for name in Name::ALL {
        let deb = debs.iter().find(|path| is_of(path, name));
        let deb = deb.ok_or_else(|| Failure::new(format!("no .deb of {}", name.as_str())))?;
        compare(name, &of_deb(deb)?, &of_arch(dir.path(), name)?)?;
    }
    println!("makepkg packs the same files as the .debs have");
    Ok(())
}

/// The recipe and, where makepkg would have unpacked and built it, what its functions take of the tree.
fn lay_out(workspace: &Workspace, dir: &Path) -> Result {
    let source = dir.join("src/keyroster");
    let built = source.join("target/dist/release");
    shell::run(Command::new("mkdir").arg("-p").arg(&built))?;
    let recipe = workspace.root.join("packaging/arch");
    copy(&recipe.join("."), dir)?;
    for part in ["packaging", "sshd-config", "LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&workspace.root.join(part), &source)?;
    }
    for program in PROGRAMS {
        copy(&workspace.dist(Profile::Debug).join(program), &built)?;
    }
    manual::generate(workspace, &source.join("target/manual"))
}

fn copy(from: &Path, to: &Path) -> Result {
    shell::run(Command::new("cp").args(["-R", "--"]).arg(from).arg(to))
}

/// Shows what makepkg says only when it fails: it warns that there is no pacman on this machine.
fn make(dir: &Path) -> Result {
    let mut makepkg = Command::new("runuser");
    makepkg.args(["-u", "nobody", "--", "makepkg", "--repackage", "--nodeps"]);
    makepkg.current_dir(dir).env("PKGEXT", EXTENSION);
    let done = makepkg
        .output()
        .map_err(|error| Failure::new(format!("cannot run makepkg: {error}")))?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    let (status, said) = (done.status, String::from_utf8_lossy(&said).into_owned());
    Err(Failure::new(format!("makepkg ended with {status}\n{said}")))
}

fn is_of(deb: &Path, name: Name) -> bool {
    let file = deb.file_name().unwrap_or_default().to_string_lossy();
    file.starts_with(&format!("{}_", name.as_str()))
}

/// As Arch lays out the same.
fn of_deb(deb: &Path) -> Result<BTreeSet<String>> {
    let mut tar = Command::new("sh");
    tar.args(["-c", "dpkg-deb --fsys-tarfile \"$1\" | tar -t", "sh"]);
    let listed = shell::output(tar.arg(deb))?;
    Ok(files(&listed)
        .map(|path| {
            path.replace("usr/sbin/", "usr/bin/")
                .replace("vendor-completions", "site-functions")
        })
        .filter(|path| !path.starts_with("usr/share/lintian/"))
        .collect())
}

fn of_arch(dir: &Path, name: Name) -> Result<BTreeSet<String>> {
    let mut list = Command::new("sh");
    // The version stands in the recipe, and nowhere a second time.
    list.args(["-c", "tar -tf \"$1\"/\"$2\"-[0-9]*\"$3\"", "sh"]);
    let listed = shell::output(list.arg(dir).args([name.as_str(), EXTENSION]))?;
    Ok(files(&listed)
        .filter(|path| !path.starts_with('.') && !path.starts_with("usr/share/licenses/"))
        .collect())
}

/// Documents are each distribution's own affair.
fn files(listed: &str) -> impl Iterator<Item = String> {
    let paths = listed.lines().map(|line| line.trim_start_matches("./"));
    paths
        .filter(|path| !path.is_empty() && !path.ends_with('/'))
        .filter(|path| !path.starts_with("usr/share/doc/"))
        .map(ToOwned::to_owned)
}

fn compare(name: Name, deb: &BTreeSet<String>, arch: &BTreeSet<String>) -> Result {
    let differ: Vec<&String> = deb.symmetric_difference(arch).collect();
    if differ.is_empty() {
        return Ok(());
    }
    let name = name.as_str();
    Err(Failure::new(format!(
        "{name}: in the .deb or in Arch's package, and not in both: {differ:?}"
    )))
}

const NOBODY: &str = "nobody:nogroup";
/// Not compressed: it is thrown away.
const EXTENSION: &str = ".pkg.tar";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_only_one_of_the_two_has_is_named() {
        let set = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        let deb = set(&["usr/bin/a", "usr/lib/b.service"]);
        assert!(compare(Name::Host, &deb, &deb.clone()).is_ok());
        let refused = compare(Name::Host, &deb, &set(&["usr/bin/a"])).unwrap_err();
        assert!(refused.to_string().contains("usr/lib/b.service"));
    }

    #[test]
    fn directories_and_documents_are_no_files_to_compare() {
        let listed = "./\n./usr/\n./usr/bin/a\n./usr/share/doc/a/copyright\n";
        assert_eq!(files(listed).collect::<Vec<_>>(), ["usr/bin/a"]);
    }
}
