//! Nothing that is shipped or printed tells anybody to switch mandatory access control off.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// What an administrator would type, or be told to.
const ADVICE: [&str; 15] = [
    "setenforce 0",
    "setenforce permissive",
    "semanage permissive",
    "selinux=permissive",
    "aa-complain",
    "complain mode",
    "flags=(complain",
    "aa-disable",
    "aa-teardown",
    "selinux=0",
    "enforcing=0",
    "apparmor=0",
    "selinux=disabled",
    "unconfined_domain(",
    "/etc/apparmor.d/disable",
];

const PLACES: [&str; 8] = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs",
    "packaging",
    "sshd-config",
    "crates",
];

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    entries
        .flat_map(|entry| files(&entry.unwrap().path()))
        .collect()
}

fn advice_in(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    ADVICE.into_iter().find(|advice| text.contains(advice))
}

#[test]
fn no_page_file_or_message_says_how_to_switch_enforcement_off() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let all: Vec<PathBuf> = PLACES
        .iter()
        .flat_map(|place| files(&root.join(place)))
        .collect();
    assert!(all.iter().any(|path| path.ends_with("mandatory-access.md")));
    for path in all {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert_eq!(advice_in(&text), None, "{}", path.display());
    }
}

#[test]
fn such_advice_would_be_found() {
    for text in [
        "run `setenforce 0`",
        "SELINUX=Permissive",
        "# aa-complain sshd",
    ] {
        assert!(advice_in(text).is_some(), "{text}");
    }
}
