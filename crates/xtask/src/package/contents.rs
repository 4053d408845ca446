//! What is in each package, and where.

use std::fs;
use std::path::Path;

use keyroster_testkit::{Failure, Result};

use super::maker::Maker;
use super::tree::{Content, Role, Tree};
use super::{Name, manual};

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
    tree.text(
        format!("usr/share/doc/{}/sbom.cdx.json", name.as_str()),
        Role::Documentation,
        maker.libraries.of(maker, name)?,
    );
    Ok(tree)
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
