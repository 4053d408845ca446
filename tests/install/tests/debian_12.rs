//! The part of the install matrix that is tried on every change: Debian 12, from packages of the programs that were just built.

use std::path::{Path, PathBuf};

use keyroster_install::matrix::{self, Outcome, Tried};
use keyroster_install::{Afterwards, Release, System, readme};

const DEBIAN_12: System = System::Debian(Release::Debian12);

fn store() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("install-roots")
}

#[test]
fn a_package_that_comes_changes_versions_and_goes_locks_nobody_out() {
    let mut tell = |title: &str| println!("{title}");
    let (_, tried) = matrix::try_host(&store(), DEBIAN_12, Afterwards::Remove, &mut tell).unwrap();
    must_have_passed(tried);
}

#[test]
fn the_key_servers_package_gets_its_secrets_from_systemd_and_keeps_its_roster() {
    let mut tell = |title: &str| println!("{title}");
    let tried = matrix::try_server(&store(), DEBIAN_12, Afterwards::Remove, &mut tell).unwrap();
    must_have_passed(tried);
}

fn must_have_passed(tried: Tried) {
    let told = tried.failure.map(|failure| failure.to_string());
    assert!(told.is_none(), "{}", told.unwrap_or_default());
    let mut outcomes = tried.outcomes.iter();
    assert!(outcomes.any(|outcome| *outcome == Outcome::Passed));
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
    let tables: Vec<Vec<&str>> = committed.split(&heading).skip(1).map(rows).collect();
    let titles = [matrix::host_titles(), matrix::server_titles()];
    assert_eq!(
        tables, titles,
        "`cargo xtask package --test` writes it anew"
    );
    assert!(!committed.contains("**no**") && !committed.contains("not reached"));
}

/// The first cell of each row below a heading.
fn rows(table: &str) -> Vec<&str> {
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        row.trim_start_matches("| ")
            .split(" | ")
            .next()
            .unwrap_or_default()
    })
    .collect()
}
