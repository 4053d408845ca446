//! An .rpm, written by `rpmbuild` from a spec that lists exactly what was laid out.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use keyroster_testkit::{Failure, Result};

use super::maker::Maker;
use super::tree::{Content, Entry, Role, Tree};
use super::{Name, contents, scripts};
use crate::shell;
use crate::workspace::Profile;

/// Makes one package and returns where it is.
pub fn make(maker: &Maker<'_>, name: Name) -> Result<PathBuf> {
    let tree = with_documents(maker, name)?;
    let root = maker.fresh("rpm-root")?;
    tree.write(&root)?;
    let top = maker.fresh("rpmbuild")?;
    let spec = top.join(format!("{}.spec", name.as_str()));
    fs::write(&spec, text(maker, name, &tree, &root)?)
        .map_err(|error| Failure::io("write", &spec, &error))?;
    let mut command = maker.tool("rpmbuild");
    command.args(["-bb", "--quiet", "--target", ARCHITECTURE]);
    for (macro_name, value) in definitions(maker.profile) {
        command.arg("--define").arg(format!("{macro_name} {value}"));
    }
    command
        .arg("--define")
        .arg(format!("_topdir {}", top.display()));
    command.arg(&spec);
    shell::output(&mut command)?;
    let file = format!(
        "{}-{}-{}.{ARCHITECTURE}.rpm",
        name.as_str(),
        maker.facts.version,
        maker.facts.revision
    );
    let (from, to) = (
        top.join("RPMS").join(ARCHITECTURE).join(&file),
        maker.out.join(&file),
    );
    fs::copy(&from, &to).map_err(|error| Failure::io("copy", &from, &error))?;
    Ok(to)
}

/// The files are final when rpmbuild sees them, and its name and clock are nobody's business.
fn definitions(profile: Profile) -> [(&'static str, &'static str); 8] {
    let payload = match profile {
        Profile::Release => "w9.xzdio",
        Profile::Debug => "w1.gzdio",
    };
    [
        ("debug_package", "%{nil}"),
        ("__os_install_post", "%{nil}"),
        ("_build_id_links", "none"),
        ("_buildhost", "keyroster"),
        ("use_source_date_epoch_as_buildtime", "1"),
        ("clamp_mtime_to_source_date_epoch", "1"),
        ("source_date_epoch_from_changelog", "0"),
        ("_binary_payload", payload),
    ]
}

fn with_documents(maker: &Maker<'_>, name: Name) -> Result<Tree> {
    let mut tree = contents::of(maker, name, "usr/share/zsh/site-functions")?;
    let documents = [
        (format!("usr/share/doc/{}", name.as_str()), "CHANGELOG.md"),
        (
            format!("usr/share/licenses/{}", name.as_str()),
            "LICENSE-APACHE",
        ),
        (
            format!("usr/share/licenses/{}", name.as_str()),
            "LICENSE-MIT",
        ),
    ];
    for (dir, file) in documents {
        let path = maker.workspace.root.join(file);
        let bytes = fs::read(&path).map_err(|error| Failure::io("read", &path, &error))?;
        tree.text(format!("{dir}/{file}"), Role::Documentation, bytes);
    }
    Ok(tree)
}

fn text(maker: &Maker<'_>, name: Name, tree: &Tree, root: &Path) -> Result<String> {
    let facts = maker.facts;
    let words = facts.words(name)?;
    let mut spec = format!(
        "Name: {name}\nVersion: {version}\nRelease: {revision}\nSummary: {summary}\nLicense: {licence}\nURL: {homepage}\nPackager: {maintainer}\nGroup: System/Management\n{relations}\n\
         %description\n{description}\n\n%install\ncp -a {root}/. %{{buildroot}}/\n\n",
        name = name.as_str(),
        version = facts.version,
        revision = facts.revision,
        summary = words.summary,
        licence = facts.licence,
        homepage = facts.homepage,
        maintainer = facts.maintainer,
        relations = relations(name),
        description = words.description.trim(),
        root = root.display(),
    );
    for (script, text) in scripts::of(maker.workspace, "rpm", name.as_str())? {
        let _ = write!(spec, "%{script}\n{}\n", text.replace('%', "%%"));
    }
    spec.push_str("%files\n");
    for directory in tree.directories().iter().filter(|path| is_ours(path)) {
        let _ = writeln!(spec, "%dir %attr(0755,root,root) /{directory}");
    }
    for (path, entry) in tree.iter() {
        let _ = writeln!(spec, "{}/{path}", attributes(entry));
    }
    let _ = write!(
        spec,
        "\n%changelog\n* {date} {maintainer} - {version}-{revision}\n- Package keyroster {version}; what changed is in CHANGELOG.md.\n",
        date = facts.rpm_date()?,
        maintainer = facts.maintainer,
        version = facts.version,
        revision = facts.revision,
    );
    Ok(spec)
}

/// Directories that no other package owns.
fn is_ours(directory: &str) -> bool {
    directory
        .split('/')
        .any(|part| part.starts_with("keyroster"))
}

fn attributes(entry: &Entry) -> String {
    if let Content::Link(_) = entry.content {
        return String::new();
    }
    let kind = match entry.role {
        Role::Plain => "",
        Role::Settings => "%config(noreplace) ",
        Role::Documentation => "%doc ",
    };
    format!("{kind}%attr({:04o},root,root) ", entry.mode())
}

fn relations(name: Name) -> &'static str {
    match name {
        Name::Host => {
            "Requires(post): systemd\nRecommends: openssh-server >= 8.4\nConflicts: openssh-server < 8.4\n"
        }
        Name::Server => "Requires(post): systemd\n",
        Name::Cli => "",
    }
}

const ARCHITECTURE: &str = "x86_64";
