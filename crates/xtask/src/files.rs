//! Rules about committed files: how long a source file may be, and that shell scripts are sound.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyroster_testkit::{Failure, Result};

use crate::shell;
use crate::workspace::Workspace;

/// Fails on a source file that is too long, and names those that are getting there.
pub fn check_lengths(workspace: &Workspace) -> Result {
    let mut too_long = Vec::new();
    for path in all(&workspace.root)? {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
        let name = path
            .strip_prefix(&workspace.root)
            .unwrap_or(&path)
            .display()
            .to_string();
        match judge(&name, text.lines().count()) {
            Length::Fine => {}
            Length::Long(lines) => println!("long: {name} has {lines} lines"),
            Length::TooLong(lines, limit) => {
                too_long.push(format!("{name} has {lines} lines of {limit} at most"))
            }
        }
    }
    if too_long.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(too_long.join("\n")))
    }
}

/// Runs shellcheck over every committed shell script, with or without an extension.
pub fn check_scripts(workspace: &Workspace) -> Result {
    let scripts: Vec<PathBuf> = all(&workspace.root)?
        .into_iter()
        .filter(|path| is_shell(path))
        .collect();
    if scripts.is_empty() {
        return Ok(());
    }
    shell::run(Command::new("shellcheck").args(&scripts))
}

/// What is to be said of a file's length.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
enum Length {
    Fine,
    Long(usize),
    TooLong(usize, usize),
}

fn judge(name: &str, lines: usize) -> Length {
    let limit = if name.ends_with("main.rs") {
        MAIN_LINES
    } else {
        FILE_LINES
    };
    match lines {
        lines if lines > limit => Length::TooLong(lines, limit),
        lines if lines > LONG_FILE_LINES => Length::Long(lines),
        _ => Length::Fine,
    }
}

fn is_shell(path: &Path) -> bool {
    let Ok(bytes) = fs::read(path) else {
        return false;
    };
    let first = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    first.starts_with("#!") && (first.ends_with("/sh") || first.ends_with("bash"))
}

/// Every file that git knows. A tree without git has no committed files to judge.
fn all(root: &Path) -> Result<Vec<PathBuf>> {
    let listed = shell::output(
        Command::new("git")
            .args(["-c", "safe.directory=*", "-C"])
            .arg(root)
            .args(["ls-files", "-z"]),
    )?;
    let names = listed.split('\0').filter(|name| !name.is_empty());
    Ok(names
        .map(|name| root.join(name))
        .filter(|path| path.is_file())
        .collect())
}

/// House style: a main parses arguments, calls one function, maps the result.
const MAIN_LINES: usize = 30;
/// House style: 400 lines is long, 600 is too long.
const LONG_FILE_LINES: usize = 400;
const FILE_LINES: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_is_held_to_a_shorter_length_than_other_files() {
        assert_eq!(
            judge("crates/lookup/src/main.rs", 31),
            Length::TooLong(31, MAIN_LINES)
        );
        assert_eq!(judge("crates/lookup/src/lib.rs", 31), Length::Fine);
        assert_eq!(judge("crates/lookup/src/lib.rs", 401), Length::Long(401));
        assert_eq!(
            judge("crates/lookup/src/lib.rs", 601),
            Length::TooLong(601, FILE_LINES)
        );
    }
}
