//! The part of the install matrix that is tried on every change: Debian 12, from packages of the programs that were just built.

use std::path::{Path, PathBuf};

use keyroster_install::matrix::{self, Outcome};
use keyroster_install::{Afterwards, Release, System, readme};

const DEBIAN_12: System = System::Debian(Release::Debian12);

fn store() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("install-roots")
}

#[test]
fn a_package_that_comes_changes_versions_and_goes_locks_nobody_out() {
    let mut tell = |title: &str| println!("{title}");
    let column = matrix::run(&store(), DEBIAN_12, Afterwards::Remove, &mut tell).unwrap();
    assert!(column.failure.is_none(), "{}", column.failure.unwrap());
    let passed = column
        .outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Passed);
    assert!(passed.count() > 1);
}

#[test]
fn the_readmes_five_minutes_work_word_for_word_in_a_fresh_root() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    readme::follow(&store(), DEBIAN_12, &readme).unwrap();
}

#[test]
fn the_committed_matrix_has_every_step_and_every_system() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/install-matrix.md");
    let committed = std::fs::read_to_string(path).unwrap();
    let heading = format!("| step | {} |", System::ALL.map(System::name).join(" | "));
    assert!(committed.contains(&heading), "{heading}");
    let rows = committed.split_once(&heading).unwrap().1.lines().skip(2);
    let rows: Vec<&str> = rows.map(|row| row.split(" | ").next().unwrap()).collect();
    let titles: Vec<String> = matrix::titles()
        .iter()
        .map(|title| format!("| {title}"))
        .collect();
    assert_eq!(rows, titles, "`cargo xtask package --test` writes it anew");
    assert!(!committed.contains("**no**") && !committed.contains("not reached"));
}
