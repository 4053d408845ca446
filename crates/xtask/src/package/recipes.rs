//! The recipes for other distributions, as far as they can be judged without those.
//!
//! Arch's and Nix's are carried out by the programs that those distributions have, which Debian packages: makepkg packs what this
//! run has built, and nix-instantiate evaluates. Of Alpine's, Debian has nothing: a shell reads it, as abuild does.

use std::path::{Path, PathBuf};
use std::process::Command;

use keyroster_testkit::{Failure, Result};

use super::Facts;
use crate::shell;
use crate::workspace::Workspace;

mod arch;
mod nix;

/// Judges each; `debs` are what Arch's packages are compared with.
pub fn check(workspace: &Workspace, debs: &[&Path]) -> Result {
    let facts = Facts::read(workspace, 1)?;
    for (recipe, interpreter) in RECIPES {
        let path = workspace.root.join("packaging").join(recipe);
        shellcheck(&path, interpreter)?;
        check_version(&path, interpreter, &facts)?;
    }
    for (script, interpreter) in SOURCED {
        shellcheck(&workspace.root.join("packaging").join(script), interpreter)?;
    }
    arch::check(workspace, debs)?;
    nix::check(workspace, &facts)
}

fn shellcheck(path: &Path, interpreter: &str) -> Result {
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.arg(format!("--shell={interpreter}"));
    // Variables and functions are there for whoever sources it, and makepkg and abuild end at the first failure.
    shellcheck.args(["--exclude=SC2034,SC2154,SC2164"]);
    shell::run(shellcheck.arg(path))
}

/// Reads a recipe as its distribution does, by sourcing it, and compares what it says with the workspace.
fn check_version(path: &PathBuf, interpreter: &str, facts: &Facts) -> Result {
    let said = shell::output(
        Command::new(interpreter)
            .arg("-euc")
            .arg(". \"$1\"; printf '%s\\n' \"$pkgver\" \"$url\"")
            .arg(interpreter)
            .arg(path),
    )?;
    if said == format!("{}\n{}\n", facts.version, facts.homepage) {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::new(format!(
        "\"{path}\" names another version or place"
    )))
}

const RECIPES: [(&str, &str); 2] = [("arch/PKGBUILD", "bash"), ("alpine/APKBUILD", "sh")];
/// What has no first line that says who runs it.
const SOURCED: [(&str, &str); 3] = [
    ("arch/keyroster-host.install", "bash"),
    ("alpine/keyroster-agent.initd", "sh"),
    ("alpine/keyroster-enable.initd", "sh"),
];
