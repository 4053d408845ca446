//! Manual pages and completions: those that `keyroster-manual` writes from the code, and those that are written by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyroster_testkit::{Failure, Result};

use super::Name;
use super::maker::Maker;
use super::tree::{Role, Tree};
use crate::shell;
use crate::workspace::{Profile, Workspace};

/// Builds the writer.
pub fn build(workspace: &Workspace) -> Result {
    shell::run(
        workspace
            .cargo()
            .args(["build", "--locked", "--package", "keyroster-manual"]),
    )
}

/// Runs it.
pub fn generate(workspace: &Workspace, dir: &Path) -> Result {
    let writer = workspace
        .target
        .join(Profile::Debug.dir())
        .join("keyroster-manual");
    shell::run(Command::new(writer).arg(dir))
}

/// Runs it, and puts the pages written by hand beside its own.
pub fn write(workspace: &Workspace, dir: &Path) -> Result {
    generate(workspace, dir)?;
    let by_hand = workspace.root.join("packaging/man");
    for path in files(&by_hand)? {
        let to = dir.join("man").join(file_name(&path));
        fs::copy(&path, &to).map_err(|error| Failure::io("copy", &path, &error))?;
    }
    Ok(())
}

/// Adds what belongs to the package's programs.
pub fn add(maker: &Maker<'_>, name: Name, zsh: &str, tree: &mut Tree) -> Result {
    for path in files(&maker.manual().join("man"))? {
        let page = file_name(&path);
        if owner(&page) == name {
            let section = page.rsplit('.').next().unwrap_or_default();
            let to = format!("usr/share/man/man{section}/{page}.gz");
            tree.text(to, Role::Documentation, maker.gzip(&read(&path)?)?);
        }
    }
    let shells = [
        ("bash", "usr/share/bash-completion/completions"),
        ("zsh", zsh),
        ("fish", "usr/share/fish/vendor_completions.d"),
    ];
    for (shell, to) in shells {
        for path in files(&maker.manual().join("completions").join(shell))? {
            let script = file_name(&path);
            if owner(script.trim_start_matches('_')) == name {
                tree.text(format!("{to}/{script}"), Role::Plain, read(&path)?);
            }
        }
    }
    Ok(())
}

/// By the names of the programs: what is no other program's is the command line's.
fn owner(file: &str) -> Name {
    let is = |program: &str| {
        file.strip_prefix(program)
            .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
    };
    if is("keyroster-agent") || is("keyroster-lookup") || is("keyroster-sessions") {
        Name::Host
    } else if is("keyroster-server") {
        Name::Server
    } else {
        Name::Cli
    }
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(dir).map_err(|error| Failure::io("list", dir, &error))?;
    let mut paths = Vec::new();
    for entry in listed {
        let entry = entry.map_err(|error| Failure::io("list", dir, &error))?;
        paths.push(entry.path());
    }
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| Failure::io("read", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_belongs_to_the_package_of_its_program() {
        assert_eq!(owner("keyroster-agent-enroll.8"), Name::Host);
        assert_eq!(owner("keyroster-lookup.conf.5"), Name::Host);
        assert_eq!(owner("keyroster-server.toml.5"), Name::Server);
        assert_eq!(owner("keyroster-user-add.1"), Name::Cli);
        assert_eq!(owner("keyroster.fish"), Name::Cli);
    }
}
