//! The recipes for other distributions, as far as they can be judged without those.

use std::fs;
use std::process::Command;

use keyroster_testkit::{Failure, Result};

use super::{Facts, Name, contents};
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
    every_unit_is_named(workspace)
}

/// A unit that a recipe forgets is missed when somebody enables keyroster, and not before.
fn every_unit_is_named(workspace: &Workspace) -> Result {
    let path = workspace.root.join("packaging/arch/PKGBUILD");
    let recipe = fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
    let host = contents::files(Name::Host).iter();
    let units =
        host.filter_map(|(path, ..)| path.strip_prefix("usr/lib/systemd/system/keyroster-"));
    let forgotten: Vec<&str> = units
        .filter_map(|unit| unit.strip_suffix(".service"))
        .filter(|unit| !installed_units(&recipe).any(|installed| installed == *unit))
        .collect();
    if forgotten.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "\"{}\" does not install the units of: {}",
        path.display(),
        forgotten.join(", ")
    )))
}

/// Those of `packaging/systemd/keyroster-{a,b}.service`.
fn installed_units(recipe: &str) -> impl Iterator<Item = &str> {
    let named = recipe.split("packaging/systemd/keyroster-{").skip(1);
    let lists = named.filter_map(|rest| rest.split_once("}.service"));
    lists.flat_map(|(list, _)| list.split(','))
}

const RECIPES: [(&str, &str); 2] = [("arch/PKGBUILD", "bash"), ("alpine/APKBUILD", "sh")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_units_of_a_list_in_braces_are_found() {
        let recipe =
            "install packaging/systemd/keyroster-{agent,enable}.service there\ninstall packaging/x";
        assert_eq!(
            installed_units(recipe).collect::<Vec<_>>(),
            ["agent", "enable"]
        );
    }
}
