//! `docs/install-matrix.md`, as a run makes it.

use std::fmt::Write as _;

use crate::matrix::{Column, Outcome, titles};

/// The whole document.
pub fn render(columns: &[Column]) -> String {
    let mut text = String::from(HEAD);
    text.push_str(&versions(columns));
    text.push('\n');
    text.push_str(&steps(columns));
    text
}

/// The distributions and what is in them.
fn versions(columns: &[Column]) -> String {
    let mut text =
        String::from("| column | Debian | OpenSSH | systemd | package |\n|---|---|---|---|---|\n");
    for column in columns {
        let (system, facts) = (column.system, &column.facts);
        let (debian, openssh, systemd) = (&facts.debian, &facts.openssh, &facts.systemd);
        let format = if system.name() == "rpm" {
            ".rpm"
        } else {
            ".deb"
        };
        let _ = writeln!(
            text,
            "| {system} | {debian} | {openssh} | {systemd} | {format} |"
        );
    }
    text
}

fn steps(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.system.name()).collect();
    let mut text = format!(
        "| step | {} |\n|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for (number, title) in titles().into_iter().enumerate() {
        let outcomes = columns.iter().map(|column| column.outcomes.get(number));
        let cells: Vec<&str> = outcomes.map(|outcome| word(outcome.copied())).collect();
        let _ = writeln!(text, "| {title} | {} |", cells.join(" | "));
    }
    text
}

fn word(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Passed) => "yes",
        Some(Outcome::Failed) => "**no**",
        Some(Outcome::NotHere) => "–",
        Some(Outcome::NotReached) | None => "not reached",
    }
}

const HEAD: &str = "\
# The install matrix

Written by `cargo xtask package --test`, which makes the packages of this version and of one before it, boots each of these systems from
its own archive (debootstrap, systemd-nspawn), and tries the steps in this order, all on one root. The root's sshd, systemd and package
manager are its own; the key server runs outside, and the logins come from there. The column of Debian 12 is tried in `cargo xtask test` too.

The column rpm is the .rpm with the real `rpm`, in a root of Debian 12: rpm and its scripts are tried there, no distribution of its own. Debian 11
is not tried: programs start there only when they are built as releases are, and these are built as for tests.

";
