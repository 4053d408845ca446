//! `docs/install-matrix.md`, as a run makes it.

use std::fmt::Write as _;

use crate::matrix::{Column, Outcome, Tried, host_titles, server_titles};

/// The whole document.
pub fn render(columns: &[Column]) -> String {
    let mut text = String::from(HEAD);
    text.push_str(&versions(columns));
    text.push_str(HOSTS);
    text.push_str(&steps(columns, &host_titles(), |column| &column.host));
    text.push_str(KEY_SERVERS);
    text.push_str(&steps(columns, &server_titles(), |column| &column.server));
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

fn steps(columns: &[Column], titles: &[&str], tried: fn(&Column) -> &Tried) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.system.name()).collect();
    let mut text = format!(
        "| step | {} |\n|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for (number, title) in titles.iter().enumerate() {
        let outcomes = columns
            .iter()
            .map(|column| tried(column).outcomes.get(number));
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

Written by `cargo xtask package --test`, which makes release packages of this version and of one before it, boots each of these systems from
its own archive (debootstrap, systemd-nspawn), and tries the steps in this order. The root's sshd, systemd and package manager are its own.
`cargo xtask test` tries the column of Debian 12 too, with packages of the programs that it tests.

The column rpm is the .rpm with the real `rpm`, in a root of Debian 12: rpm and its scripts are tried there, no distribution of its own.

";
const HOSTS: &str = "
## A host's package

All steps on one root. The key server runs outside, and the logins come from there.

";
const KEY_SERVERS: &str = "
## The key server's package

All steps on another root, which has a loopback of its own and is a host of its own key server. A roster in SQLite.

";
