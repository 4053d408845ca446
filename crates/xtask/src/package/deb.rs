//! A .deb, written by `dpkg-deb`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keyroster_testkit::{Failure, Result};

use super::maker::Maker;
use super::tree::{Role, Tree};
use super::{Name, contents, copyright, libraries, scripts};
use crate::shell;
use crate::workspace::Profile;

/// Makes one package and returns where it is.
pub fn make(maker: &Maker<'_>, name: Name) -> Result<PathBuf> {
    let tree = with_documents(maker, name)?;
    let root = maker.fresh("deb")?;
    tree.write(&root)?;
    let control = root.join("DEBIAN");
    fs::create_dir(&control).map_err(|error| Failure::io("make directory", &control, &error))?;
    let version = version(maker);
    write(
        &control.join("control"),
        &fields(maker, name, &root, &tree)?,
        0o644,
    )?;
    write(
        &control.join("md5sums"),
        &checksums(maker, &root, &tree)?,
        0o644,
    )?;
    let settings = settings(&tree);
    if !settings.is_empty() {
        write(&control.join("conffiles"), &settings, 0o644)?;
    }
    for (script, text) in scripts::of(maker.workspace, "deb", name.as_str())? {
        write(&control.join(script), &text, 0o755)?;
    }
    let made = maker
        .out
        .join(format!("{}_{version}_{ARCHITECTURE}.deb", name.as_str()));
    let mut command = maker.tool("dpkg-deb");
    command.args(["--root-owner-group", "--threads-max=1"]);
    command.args(compression(maker.profile));
    command.arg("--build").arg(&root).arg(&made);
    shell::output(&mut command)?;
    Ok(made)
}

fn version(maker: &Maker<'_>) -> String {
    format!("{}-{}", maker.facts.version, maker.facts.revision)
}

/// zstd would be quicker, but Debian 11's dpkg does not know it.
fn compression(profile: Profile) -> &'static [&'static str] {
    match profile {
        Profile::Release => &["-Zxz", "-z9"],
        Profile::Debug => &["-Zgzip", "-z1"],
    }
}

/// Debian wants both changelogs and the copyright compressed and named its own way.
fn with_documents(maker: &Maker<'_>, name: Name) -> Result<Tree> {
    let mut tree = contents::of(maker, name, "usr/share/zsh/vendor-completions")?;
    let doc = format!("usr/share/doc/{}", name.as_str());
    let path = maker.workspace.root.join("CHANGELOG.md");
    let changes = fs::read(&path).map_err(|error| Failure::io("read", &path, &error))?;
    tree.text(
        format!("{doc}/changelog.gz"),
        Role::Documentation,
        maker.gzip(&changes)?,
    );
    tree.text(
        format!("{doc}/changelog.Debian.gz"),
        Role::Documentation,
        maker.gzip(changelog(maker)?.as_bytes())?,
    );
    tree.text(
        format!("{doc}/copyright"),
        Role::Documentation,
        copyright::debian(maker)?,
    );
    let overrides = maker
        .workspace
        .root
        .join("packaging/lintian")
        .join(name.as_str());
    tree.text(
        format!("usr/share/lintian/overrides/{}", name.as_str()),
        Role::Plain,
        fs::read(&overrides).map_err(|error| Failure::io("read", &overrides, &error))?,
    );
    Ok(tree)
}

fn changelog(maker: &Maker<'_>) -> Result<String> {
    Ok(format!(
        "keyroster ({version}) unstable; urgency=medium\n\n  * Package keyroster {upstream}; what changed is in changelog.gz.\n\n -- {maintainer}  {date}\n",
        version = version(maker),
        upstream = maker.facts.version,
        maintainer = maker.facts.maintainer,
        date = maker.facts.mail_date()?,
    ))
}

fn fields(maker: &Maker<'_>, name: Name, root: &Path, tree: &Tree) -> Result<String> {
    let words = maker.facts.words(name)?;
    let programs: Vec<PathBuf> = tree.programs().map(|path| root.join(path)).collect();
    let programs: Vec<&Path> = programs.iter().map(PathBuf::as_path).collect();
    let mut depends = libraries::of(&programs)?;
    depends.extend(relations(name).depends.iter().map(|one| (*one).to_owned()));
    let mut fields = format!(
        "Package: {package}\nSource: keyroster\nVersion: {version}\nArchitecture: {ARCHITECTURE}\nMaintainer: {maintainer}\n\
         Installed-Size: {size}\nDepends: {depends}\n",
        package = name.as_str(),
        version = version(maker),
        maintainer = maker.facts.maintainer,
        size = kibibytes(root, tree)?,
        depends = depends.join(", "),
    );
    for (field, value) in relations(name).others {
        fields.push_str(&format!("{field}: {value}\n"));
    }
    fields.push_str(&format!(
        "Section: {section}\nPriority: optional\nHomepage: {homepage}\nDescription: {summary}\n{description}\n",
        section = relations(name).section,
        homepage = maker.facts.homepage,
        summary = words.summary,
        description = copyright::indented(words.description.trim()),
    ));
    Ok(fields)
}

struct Relations {
    section: &'static str,
    depends: &'static [&'static str],
    others: &'static [(&'static str, &'static str)],
}

fn relations(name: Name) -> Relations {
    match name {
        Name::Host => Relations {
            section: "admin",
            depends: ACCOUNTS,
            others: &[
                ("Recommends", "openssh-server (>= 1:8.4)"),
                ("Breaks", "openssh-server (<< 1:8.4)"),
            ],
        },
        Name::Server => Relations {
            section: "admin",
            depends: ACCOUNTS,
            others: &[("Suggests", "postgresql, keyroster")],
        },
        Name::Cli => Relations {
            section: "admin",
            depends: &[],
            others: &[("Suggests", "openssh-client")],
        },
    }
}

fn settings(tree: &Tree) -> String {
    let settings = tree
        .iter()
        .filter(|(_, entry)| entry.role == Role::Settings);
    settings.map(|(path, _)| format!("/{path}\n")).collect()
}

fn checksums(maker: &Maker<'_>, root: &Path, tree: &Tree) -> Result<String> {
    let mut command = maker.tool("md5sum");
    command.current_dir(root).arg("--");
    for (path, _) in tree.iter() {
        if root
            .join(path)
            .symlink_metadata()
            .is_ok_and(|meta| meta.is_file())
        {
            command.arg(path);
        }
    }
    shell::output(&mut command)
}

/// As dpkg-gencontrol counts: whole KiB for each file, one for everything else.
fn kibibytes(root: &Path, tree: &Tree) -> Result<u64> {
    let mut sum = u64::try_from(tree.directories().len()).unwrap_or(u64::MAX);
    for (path, _) in tree.iter() {
        let path = root.join(path);
        let meta = path
            .symlink_metadata()
            .map_err(|error| Failure::io("look at", &path, &error))?;
        sum += if meta.is_file() {
            meta.len().div_ceil(KIBIBYTE)
        } else {
            1
        };
    }
    Ok(sum)
}

fn write(path: &Path, text: &str, mode: u32) -> Result {
    fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(|error| Failure::io("write", path, &error))
}

/// Either is whole with the other half: a host without systemd has both as programs of their own.
const ACCOUNTS: &[&str] = &[
    "systemd | systemd-standalone-sysusers | systemd-sysusers",
    "systemd | systemd-standalone-tmpfiles | systemd-tmpfiles",
    "init-system-helpers (>= 1.52)",
];
const ARCHITECTURE: &str = "amd64";
const KIBIBYTE: u64 = 1024;
