//! Maintainer scripts, put together from fragments.
//!
//! A package manager runs a script by itself, with nothing beside it, so what several need is copied in where a line says
//! `#include`. What is checked is the whole that comes out.

use std::fs;
use std::path::Path;

use keyroster_testkit::{Failure, Result};

use crate::workspace::Workspace;

/// The scripts in `packaging/<format>/<package>`, assembled: name and text, in the order of their names.
pub fn of(workspace: &Workspace, format: &str, package: &str) -> Result<Vec<(String, String)>> {
    let packaging = workspace.root.join("packaging");
    let dir = packaging.join(format).join(package);
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut scripts = Vec::new();
    let listed = fs::read_dir(&dir).map_err(|error| Failure::io("list", &dir, &error))?;
    for entry in listed {
        let path = entry
            .map_err(|error| Failure::io("list", &dir, &error))?
            .path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = assemble(&read(&path)?, |fragment| {
            read(&packaging.join("scripts").join(fragment))
        })?;
        scripts.push((name.into_owned(), text));
    }
    scripts.sort();
    Ok(scripts)
}

fn assemble(script: &str, fragment: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut whole = String::new();
    for line in script.lines() {
        match line.strip_prefix(INCLUDE) {
            Some(name) => whole.push_str(&fragment(name)?),
            None => whole.push_str(line),
        }
        whole.push('\n');
    }
    Ok(whole)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))
}

const INCLUDE: &str = "#include ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_stands_where_its_name_was() {
        let whole = assemble("#!/bin/sh\n#include a.sh\nrun\n", |name| {
            Ok(format!("# from {name}\n"))
        });
        assert_eq!(whole.unwrap(), "#!/bin/sh\n# from a.sh\n\nrun\n");
    }

    #[test]
    fn a_fragment_that_is_not_there_fails() {
        let missing = assemble("#include b.sh\n", |name| Err(Failure::new(name)));
        assert_eq!(missing.unwrap_err().to_string(), "b.sh");
    }
}
