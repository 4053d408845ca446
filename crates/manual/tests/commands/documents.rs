//! The files that tell people what to type.

use std::fs;
use std::path::{Path, PathBuf};

/// A file, by its path in the repository.
#[derive(Debug)]
pub struct Document {
    pub path: PathBuf,
    pub kind: Kind,
    pub text: String,
}

/// How commands stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In blocks and between backticks.
    Markdown,
    /// In lists, as arguments or in strings.
    Yaml,
    /// A line or a setting each, and between backticks in comments.
    Settings,
    /// In string literals, alone or between backticks.
    Rust,
}

/// All of them.
pub fn documents() -> Vec<Document> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = Vec::new();
    for place in PLACES {
        find(&root.join(place), &mut paths);
    }
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let kind = kind(&path)?;
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(&root).unwrap().to_owned();
            Some(Document { path, kind, text })
        })
        .collect()
}

fn find(path: &Path, paths: &mut Vec<PathBuf>) {
    if path.is_file() {
        paths.push(path.to_owned());
        return;
    }
    for entry in fs::read_dir(path).unwrap() {
        find(&entry.unwrap().path(), paths);
    }
}

fn kind(path: &Path) -> Option<Kind> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("md") => Some(Kind::Markdown),
        Some("yml" | "yaml") => Some(Kind::Yaml),
        Some("rs") => Some(Kind::Rust),
        Some("json") => None,
        _ => Some(Kind::Settings),
    }
}

const PLACES: [&str; 18] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs",
    "sshd-config",
    "packaging/examples",
    "packaging/systemd",
    "packaging/deb",
    "packaging/rpm",
    "packaging/scripts",
    "packaging/tmpfiles.d",
    "packaging/alpine",
    "packaging/arch",
    "crates/agent/src",
    "crates/cli/src",
    "crates/server/src",
    "crates/sessions/src",
];
