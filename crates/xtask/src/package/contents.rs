//! What is in each package, and where.

use std::fs;
use std::path::Path;

use keyroster_testkit::{Failure, Result};

use super::maker::Maker;
use super::tree::{Content, Role, Tree};
use super::{Name, manual};
use crate::workspace::Workspace;

/// The files that a package has in every format; `zsh` is where the distribution's zsh looks for completions.
pub fn of(maker: &Maker<'_>, name: Name, zsh: &str) -> Result<Tree> {
    let mut tree = Tree::default();
    for (path, program) in programs(name) {
        tree.add(
            *path,
            Role::Plain,
            Content::Program(maker.stripped(program)),
        );
    }
    for (path, role, source) in files(name) {
        tree.text(*path, *role, read(&maker.workspace.root.join(source))?);
    }
    if name == Name::Host {
        // What admins type; sshd's rule about parents holds for the place that it points to.
        let target = "../lib/keyroster/keyroster-agent".to_owned();
        tree.add(
            "usr/sbin/keyroster-agent",
            Role::Plain,
            Content::Link(target),
        );
    }
    manual::add(maker, name, zsh, &mut tree)?;
    for page in pages(maker.workspace)? {
        let text = read(&maker.workspace.root.join(&page))?;
        let path = format!("usr/share/doc/{}/{page}", name.as_str());
        tree.text(path, Role::Documentation, text);
    }
    tree.text(
        format!("usr/share/doc/{}/sbom.cdx.json", name.as_str()),
        Role::Documentation,
        maker.libraries.of(maker, name)?,
    );
    Ok(tree)
}

/// The pages that programs point to by these names, and those that the pages point to.
fn pages(workspace: &Workspace) -> Result<Vec<String>> {
    let mut pages = vec!["sshd-config/README.md".to_owned()];
    for directory in ["docs", "docs/admin"] {
        let path = workspace.root.join(directory);
        let listed = fs::read_dir(&path).map_err(|error| Failure::io("list", &path, &error))?;
        for entry in listed {
            let name = entry
                .map_err(|error| Failure::io("list", &path, &error))?
                .file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".md") {
                pages.push(format!("{directory}/{name}"));
            }
        }
    }
    Ok(pages)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| Failure::io("read", path, &error))
}

fn programs(name: Name) -> &'static [(&'static str, &'static str)] {
    match name {
        Name::Host => &[
            ("usr/lib/keyroster/keyroster-lookup", "keyroster-lookup"),
            ("usr/lib/keyroster/keyroster-agent", "keyroster-agent"),
            ("usr/lib/keyroster/keyroster-sessions", "keyroster-sessions"),
        ],
        Name::Server => &[("usr/bin/keyroster-server", "keyroster-server")],
        Name::Cli => &[("usr/bin/keyroster", "keyroster")],
    }
}

/// The package's path, its role, and the path in the tree.
type File = (&'static str, Role, &'static str);

/// The files that are taken from the tree as they are.
fn files(name: Name) -> &'static [File] {
    match name {
        Name::Host => HOST,
        Name::Server => SERVER,
        Name::Cli => &[],
    }
}

/// The drop-in lies here to be read: `keyroster-agent enable` puts it where sshd sees it.
const HOST: &[File] = &[
    (
        "etc/keyroster/agent.toml",
        Role::Settings,
        "packaging/examples/agent.toml",
    ),
    (
        "etc/keyroster/lookup.conf",
        Role::Settings,
        "packaging/examples/lookup.conf",
    ),
    (
        "usr/lib/systemd/system/keyroster-agent.service",
        Role::Plain,
        "packaging/systemd/keyroster-agent.service",
    ),
    (
        "usr/lib/systemd/system/keyroster-enable.service",
        Role::Plain,
        "packaging/systemd/keyroster-enable.service",
    ),
    (
        "usr/lib/systemd/system/keyroster-sessions.service",
        Role::Plain,
        "packaging/systemd/keyroster-sessions.service",
    ),
    (
        "usr/lib/sysusers.d/keyroster-host.conf",
        Role::Plain,
        "packaging/sysusers.d/keyroster-host.conf",
    ),
    (
        "usr/lib/tmpfiles.d/keyroster-host.conf",
        Role::Plain,
        "packaging/tmpfiles.d/keyroster-host.conf",
    ),
    (
        "usr/share/keyroster/selinux/keyroster.te",
        Role::Plain,
        "packaging/selinux/keyroster.te",
    ),
    (
        "usr/share/keyroster/selinux/keyroster.fc",
        Role::Plain,
        "packaging/selinux/keyroster.fc",
    ),
    (
        "usr/share/keyroster/selinux/keyroster.if",
        Role::Plain,
        "packaging/selinux/keyroster.if",
    ),
    (
        "usr/share/keyroster/apparmor/keyroster-agent",
        Role::Plain,
        "packaging/apparmor/keyroster-agent",
    ),
    (
        "usr/share/keyroster/apparmor/keyroster-sessions",
        Role::Plain,
        "packaging/apparmor/keyroster-sessions",
    ),
    (
        "usr/share/doc/keyroster-host/10-keyroster.conf",
        Role::Documentation,
        "sshd-config/10-keyroster.conf",
    ),
    (
        "usr/share/doc/keyroster-host/10-keyroster-9.4.conf",
        Role::Documentation,
        "sshd-config/10-keyroster-9.4.conf",
    ),
    (
        "usr/share/doc/keyroster-host/examples/agent.toml",
        Role::Documentation,
        "packaging/examples/agent.toml",
    ),
    (
        "usr/share/doc/keyroster-host/examples/lookup.conf",
        Role::Documentation,
        "packaging/examples/lookup.conf",
    ),
];

const SERVER: &[File] = &[
    (
        "usr/lib/systemd/system/keyroster-server.service",
        Role::Plain,
        "packaging/systemd/keyroster-server.service",
    ),
    (
        "usr/lib/sysusers.d/keyroster-server.conf",
        Role::Plain,
        "packaging/sysusers.d/keyroster-server.conf",
    ),
    (
        "usr/lib/tmpfiles.d/keyroster-server.conf",
        Role::Plain,
        "packaging/tmpfiles.d/keyroster-server.conf",
    ),
    (
        "usr/share/doc/keyroster-server/examples/server.toml",
        Role::Documentation,
        "packaging/examples/server.toml",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_page_that_a_program_points_to_is_in_the_packages() {
        let workspace = Workspace::find().unwrap();
        let shipped = pages(&workspace).unwrap();
        let mut texts = Vec::new();
        for program in ["agent", "sshd", "lookup", "sessions", "server", "cli"] {
            sources(
                &workspace.root.join("crates").join(program).join("src"),
                &mut texts,
            );
        }
        let words = texts
            .iter()
            .flat_map(|text| text.split(|c: char| c.is_whitespace() || "\"`(),;:".contains(c)));
        let named: Vec<&str> = words
            .filter(|word| word.starts_with("docs/") && word.contains(".md"))
            .filter_map(|word| word.split_inclusive(".md").next())
            .collect();
        assert!(!named.is_empty());
        for page in named {
            assert!(shipped.iter().any(|shipped| shipped == page), "{page}");
        }
    }
}
