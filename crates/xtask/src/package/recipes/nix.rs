//! Nix's recipe, evaluated by Nix itself, with stand-ins for what it takes of nixpkgs. Nothing is built.

use std::fs;
use std::process::{Command, Stdio};

use keyroster_testkit::{Failure, Result};
use serde::Deserialize;

use super::super::Facts;
use crate::build;
use crate::workspace::{Workspace, parse_json};

/// What the expressions come to.
#[derive(Debug, Deserialize)]
struct Evaluated {
    version: String,
    homepage: String,
    flags: Vec<String>,
    lock: bool,
    units: Vec<String>,
    command: String,
    off: Vec<String>,
}

/// Compares it with the workspace: version, place, packages, and what sshd is told.
pub fn check(workspace: &Workspace, facts: &Facts) -> Result {
    let evaluated = evaluate(workspace)?;
    let packages: Vec<String> = build::DYNAMIC
        .iter()
        .map(|(package, _)| *package)
        .chain(["keyroster-lookup", "keyroster-manual"])
        .map(|package| format!("--package={package}"))
        .collect();
    let holds = [
        ("version", evaluated.version == facts.version),
        ("homepage", evaluated.homepage == facts.homepage),
        ("packages", same(&evaluated.flags, &packages)),
        ("Cargo.lock", evaluated.lock),
        ("units", evaluated.units == ["/package"]),
        ("key command", is_ours(&evaluated.command, workspace)?),
        (
            "key command that was not asked for",
            evaluated.off.is_empty(),
        ),
    ];
    let wrong: Vec<&str> = holds
        .iter()
        .filter_map(|(what, holds)| (!holds).then_some(*what))
        .collect();
    if wrong.is_empty() {
        println!("the Nix expressions say what the workspace says");
        return Ok(());
    }
    Err(Failure::new(format!(
        "packaging/nix: not as in the workspace: {}\n{evaluated:?}",
        wrong.join(", ")
    )))
}

/// Without a store: nothing is written, and nothing is fetched.
fn evaluate(workspace: &Workspace) -> Result<Evaluated> {
    let mut nix = Command::new("nix-instantiate");
    nix.args(["--eval", "--strict", "--json", "--store", "dummy://"]);
    nix.args(["--option", "build-users-group", "", "--argstr", "root"]);
    nix.arg(&workspace.root).arg("-E").arg(EXPRESSION);
    let done = nix
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::new(format!("cannot run nix-instantiate: {error}")))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        return Err(Failure::new(format!("packaging/nix: {said}")));
    }
    parse_json("nix-instantiate", &String::from_utf8_lossy(&done.stdout))
}

/// sshd's template is the one of the drop-in that everybody else has.
fn is_ours(command: &str, workspace: &Workspace) -> Result<bool> {
    let path = workspace.root.join("sshd-config/10-keyroster.conf");
    let text = fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("AuthorizedKeysCommand "));
    let template = line.and_then(|line| line.split_once(' '));
    let ours = template.map(|(_, template)| template);
    Ok(ours.is_some() && command.split_once(' ').map(|(_, template)| template) == ours)
}

fn same(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|flag| other.contains(flag))
}

const EXPRESSION: &str = include_str!("evaluate.nix");
