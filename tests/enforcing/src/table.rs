//! `docs/enforcing-matrix.md`, as a run makes it.

use std::fmt::Write as _;

use crate::matrix::{Column, Outcome, titles};

/// The whole document.
pub fn render(columns: &[Column]) -> String {
    let mut text = String::from(HEAD);
    text.push_str("| column | kernel | packages |\n|---|---|---|\n");
    for column in columns {
        let (title, facts) = (column.control.title(), &column.facts);
        let _ = writeln!(text, "| {title} | {} | {} |", facts.kernel, facts.packages);
    }
    text.push('\n');
    let names: Vec<&str> = columns
        .iter()
        .map(|column| column.control.title())
        .collect();
    let lines = "---|".repeat(names.len());
    let _ = writeln!(text, "| step | {} |\n|---|{lines}", names.join(" | "));
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
        Some(Outcome::NotReached) | None => "not reached",
    }
}

const HEAD: &str = "\
# keyroster on kernels that enforce

Written by `cargo xtask enforcing`, which boots Debian 12 in a virtual machine, once with SELinux and Debian's targeted policy and once with AppArmor, and
tries the steps in this order, all on one machine. Both enforce from the boot on. The key server runs outside, and the logins come from there.

After each step the kernel's log is read: a denial that names keyroster or sshd fails the step, even where everything else went well. One step is about
what must be denied; there each denial is one that was asked for.

";
