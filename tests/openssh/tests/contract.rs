//! Pages of `docs/` name tests; each must exist, and each row that promises one must name one.
//!
//! A name reads `FILE::TEST`, where FILE is a path from the root of the repository, or the name of a file in this directory
//! without its ending, or `…` for the file that was named before.

#![expect(
    clippy::unwrap_used,
    reason = "a page that can't be read fails its test by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_test_that_the_sshd_contract_names_exists() {
    assert!(each_exists("docs/sshd-contract.md") > 30);
}

#[test]
fn every_bad_input_names_a_test_that_exists() {
    assert!(each_exists("docs/bad-input.md") > 60);
    each_row_names_one_of(&rows("docs/bad-input.md"), &[]);
}

#[test]
fn every_vulnerability_names_a_test_that_exists() {
    assert!(each_exists("docs/cve.md") > 4);
    each_row_names_one_of(&rows("docs/cve.md"), &["`deny.toml`"]);
}

#[test]
fn every_test_of_the_break_glass_page_exists() {
    assert!(each_exists("docs/break-glass.md") > 7);
}

/// Looks up every test that a page names, and returns how many there are.
fn each_exists(page: &str) -> usize {
    let text = read(Path::new(page));
    let mut sources = BTreeMap::new();
    let mut file = PathBuf::new();
    let mut named = 0;
    for (place, test) in names(&text) {
        if place != "…" {
            file = path_of(place);
        }
        let source = sources.entry(file.clone()).or_insert_with(|| read(&file));
        assert!(
            is_test(source, test),
            "{page} names {test}, and {} has no such test",
            file.display()
        );
        named += 1;
    }
    named
}

/// Every `FILE::TEST` between backquotes, in order.
fn names(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|name| name.split_once("::"))
        .filter(|(_, test)| test.matches('_').count() >= LEAST_UNDERSCORES)
}

fn path_of(place: &str) -> PathBuf {
    if place.contains('/') {
        PathBuf::from(place)
    } else {
        Path::new("tests/openssh/tests").join(format!("{place}.rs"))
    }
}

/// Whether a function of that name is a test that runs: what was switched off does not count.
fn is_test(source: &str, name: &str) -> bool {
    source.split("\n\n").any(|paragraph| {
        let head = paragraph.split_once(&format!("fn {name}()"));
        head.is_some_and(|(attributes, _)| {
            let is_one = ["#[test]", "#[tokio::test"].map(|word| attributes.contains(word));
            is_one != [false; 2] && !attributes.contains("#[ignore")
        })
    })
}

/// The rows of a page's tables, without heads and rules.
fn rows(page: &str) -> Vec<String> {
    let text = read(Path::new(page));
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        if line.starts_with("|---") {
            rows.pop();
        } else {
            rows.push(line.to_owned());
        }
    }
    rows
}

fn each_row_names_one_of(rows: &[String], instead: &[&str]) {
    assert!(!rows.is_empty());
    for row in rows {
        let held = names(row).next().is_some() || instead.iter().any(|word| row.contains(word));
        assert!(held, "no test is named by {row}");
    }
}

fn read(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap()
}

/// A test's name is a sentence; other paths with `::` are shorter.
const LEAST_UNDERSCORES: usize = 3;
