//! `cargo xtask package --twice`: whether somebody else would get the same bytes.
//!
//! The second time everything is made from nothing: from a clone of the last commit, in another place, with a target directory and so with a
//! root of Debian of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyroster_testkit::{Failure, Result};

use super::{Options, build_and_make};
use crate::shell;
use crate::workspace::Workspace;

/// Makes both, and fails naming what differs.
pub fn run(options: &Options) -> Result {
    let workspace = Workspace::find()?;
    must_be_committed(&workspace)?;
    let first = build_and_make(&workspace, options)?;
    let elsewhere = Elsewhere::clone_of(&workspace)?;
    let options = Options {
        out: None,
        ..options.clone()
    };
    let second = build_and_make(&elsewhere.0, &options)?;
    compare(&sums(&first)?, &sums(&second)?)?;
    println!("{} files, twice the same bytes", first.len());
    Ok(())
}

/// A clone has what is committed, and nothing else.
fn must_be_committed(workspace: &Workspace) -> Result {
    let mut status = git(&workspace.root);
    let changed = shell::output(status.args(["status", "--porcelain"]))?;
    if changed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        "the tree has changes that are not committed\nhint: the second packages are made of the last commit",
    ))
}

/// The second checkout; gone when it is dropped.
struct Elsewhere(Workspace);

impl Elsewhere {
    fn clone_of(workspace: &Workspace) -> Result<Self> {
        let root = workspace.target.join("package-twice");
        remove(&root)?;
        let mut clone = git(&workspace.root);
        clone.args(["clone", "--quiet", "--shared", "--"]);
        shell::run(clone.arg(&workspace.root).arg(&root))?;
        let target = root.join("target");
        Ok(Self(Workspace { root, target }))
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = remove(&self.0.root);
    }
}

fn remove(dir: &Path) -> Result {
    if !dir.exists() {
        return Ok(());
    }
    fs::remove_dir_all(dir).map_err(|error| Failure::io("remove", dir, &error))
}

fn git(root: &Path) -> Command {
    let mut git = Command::new("git");
    git.args(["-c", "safe.directory=*", "-C"]).arg(root);
    git
}

/// The lines of the checksums, which were made last.
fn sums(made: &[PathBuf]) -> Result<BTreeSet<String>> {
    let path = made
        .last()
        .ok_or_else(|| Failure::new("no packages were made"))?;
    let text = fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    Ok(text.lines().map(ToOwned::to_owned).collect())
}

fn compare(first: &BTreeSet<String>, second: &BTreeSet<String>) -> Result {
    let differ: BTreeSet<&str> = first
        .symmetric_difference(second)
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    if differ.is_empty() {
        return Ok(());
    }
    let differ: Vec<&str> = differ.into_iter().collect();
    Err(Failure::new(format!(
        "not the same bytes the second time: {}",
        differ.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> BTreeSet<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn a_package_that_differs_is_named_once() {
        let first = lines(&["aa  x.deb", "bb  y.rpm"]);
        assert!(compare(&first, &first.clone()).is_ok());
        let refused = compare(&first, &lines(&["aa  x.deb", "cc  y.rpm"])).unwrap_err();
        let expected = "not the same bytes the second time: y.rpm";
        assert_eq!(refused.to_string(), expected);
    }

    #[test]
    fn a_package_that_is_made_only_once_is_named() {
        let refused = compare(&lines(&["aa  x.deb", "bb  y.rpm"]), &lines(&["aa  x.deb"]));
        assert!(refused.unwrap_err().to_string().ends_with("y.rpm"));
    }
}
