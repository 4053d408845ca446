//! The recipes for other distributions, as far as they can be judged without those.

use std::process::Command;

use keyroster_testkit::{Failure, Result};

use super::Facts;
use crate::shell;
use crate::workspace::Workspace;

/// Reads each recipe as its distribution does, by sourcing it, and compares what it says with the workspace.
pub fn check(workspace: &Workspace) -> Result {
    let facts = Facts::read(workspace, 1)?;
    for (recipe, interpreter) in RECIPES {
        let path = workspace.root.join("packaging").join(recipe);
        let mut shellcheck = Command::new("shellcheck");
        shellcheck.arg(format!("--shell={interpreter}"));
        // Variables and functions are there for whoever sources it, and makepkg and abuild end at the first failure.
        shellcheck.args(["--exclude=SC2034,SC2154,SC2164"]);
        shell::run(shellcheck.arg(&path))?;
        let said = shell::output(
            Command::new(interpreter)
                .arg("-euc")
                .arg(". \"$1\"; printf '%s\\n' \"$pkgver\" \"$url\"")
                .arg(interpreter)
                .arg(&path),
        )?;
        if said != format!("{}\n{}\n", facts.version, facts.homepage) {
            let path = path.display();
            return Err(Failure::new(format!(
                "\"{path}\" names another version or place"
            )));
        }
    }
    Ok(())
}

const RECIPES: [(&str, &str); 2] = [("arch/PKGBUILD", "bash"), ("alpine/APKBUILD", "sh")];
