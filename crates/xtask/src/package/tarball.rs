//! A tarball: the same files for whoever has another package manager, or none.
//!
//! It has files alone. A directory in it would take the place of a link (`/usr/sbin` is one where the two are merged), and settings
//! in their place would be written over by the next version: they are among the examples.

use std::fs;
use std::path::PathBuf;

use keyroster_testkit::{Failure, Result};

use super::maker::Maker;
use super::tree::Role;
use super::{Name, contents};
use crate::shell;

/// Makes one package and returns where it is.
pub fn make(maker: &Maker<'_>, name: Name) -> Result<PathBuf> {
    let title = format!("{}-{}-{ARCHITECTURE}", name.as_str(), maker.facts.version);
    let mut tree = contents::of(maker, name, "usr/share/zsh/site-functions")?;
    for file in ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        let path = maker.workspace.root.join(file);
        let bytes = fs::read(&path).map_err(|error| Failure::io("read", &path, &error))?;
        let to = format!("usr/share/doc/{}/{file}", name.as_str());
        tree.text(to, Role::Documentation, bytes);
    }
    let tree = tree.without_settings();
    let above = maker.fresh("tar")?;
    tree.write(&above.join(&title))?;
    let files: Vec<String> = tree
        .iter()
        .map(|(path, _)| format!("{title}/{path}\n"))
        .collect();
    let list = above.join("files");
    fs::write(&list, files.concat()).map_err(|error| Failure::io("write", &list, &error))?;
    let made = maker.out.join(format!("{title}.tar.gz"));
    let mut command = maker.tool("tar");
    command.args(["--create", "--format=ustar", "--no-recursion"]);
    command.args(["--owner=0", "--group=0", "--numeric-owner"]);
    command.arg(format!("--mtime=@{}", maker.facts.epoch));
    command.arg("--use-compress-program=gzip -9n");
    command.arg("--file").arg(&made);
    command.arg("--directory").arg(&above);
    command.arg("--files-from").arg(&list);
    shell::output(&mut command)?;
    Ok(made)
}

const ARCHITECTURE: &str = "x86_64-linux-gnu";
