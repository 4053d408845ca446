//! What the kernel told the journal.
//!
//! By way of its log, or through the socket of its audit records: journald listens on both. An empty answer means that nothing happened only
//! where the journal keeps such messages at all, so it is asked for any of them first.

use std::io::ErrorKind;
use std::process::Command;

use keyroster_sshd::SshdError;
use keyroster_sshd::run::{Finished, finish};

use crate::doctor::facts::system::TOOL_LIMIT;
use crate::doctor::facts::{Seen, Unseen};

/// The kernel's messages of the last day, the oldest first; none where no journal has any.
///
/// # Errors
/// When there is a journal, and it can't be read.
pub fn gather() -> Seen<Option<String>> {
    match asked(&["--lines=1"])? {
        Some(text) if !text.trim().is_empty() => {}
        _ => return Ok(None),
    }
    let last_day = asked(&["--since=-1d", "--reverse"])?;
    Ok(last_day.map(|text| turned(&text)))
}

/// What the journal has; none where there is none.
fn asked(more: &[&str]) -> Seen<Option<String>> {
    let mut command = Command::new("journalctl");
    command
        .args(["--quiet", "--no-pager", "--output=cat"])
        .args(more);
    command.args(["_TRANSPORT=kernel", "+", "_TRANSPORT=audit"]);
    match finish(&mut command, TOOL_LIMIT) {
        Ok(done) => said(&done),
        Err(SshdError::Start { err, .. }) if err.kind() == ErrorKind::NotFound => Ok(None),
        Err(err) => Err(Unseen::because(err)),
    }
}

fn said(done: &Finished) -> Seen<Option<String>> {
    match done.status.success() {
        true => Ok(Some(done.stdout.clone())),
        false => Err(Unseen(format!("journalctl: {}", done.said()))),
    }
}

/// The lines the other way round. What was too much to keep was the oldest.
fn turned(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_line_comes_last() {
        assert_eq!(turned("c\nb\na\n"), "a\nb\nc");
    }

    /// Whatever this machine has: an answer in time, and none where there is no journal.
    #[test]
    fn a_machine_without_a_journal_has_no_answer_and_no_empty_one() {
        let has_journal = ["/run/log/journal", "/var/log/journal"]
            .iter()
            .any(|path| std::path::Path::new(path).exists());
        if !has_journal {
            assert_eq!(gather(), Ok(None));
        }
    }
}
