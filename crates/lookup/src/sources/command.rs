//! Another provider's key command.
//!
//! sshd allows one key command; this is how several providers live together. The program is run as this process's own user, with the
//! account as its one argument, the form that `sss_ssh_authorizedkeys` and most others take, or with what the configuration says.
//!
//! Its output is never passed through. Each line is parsed and rendered again with the meaning it had, lines for keys other than
//! the offered one are dropped, and so are lines that sshd would not have read either. As with sshd, a program that
//! ends with anything but success has said nothing, whatever it printed.
//!
//! The account comes from a stranger and the program is somebody's script: only names that no shell, path or option parser could
//! read as something else are handed over. `\`, `+`, `@` and `$` are among them, because directory services use them in names.

use std::path::Path;

use keyroster_grammar::Comment;
use keyroster_grammar::provider::Verdict;
use keyroster_wire::{LINE_MAX, LINES_MAX};

use super::{child, undecided};
use crate::check::{self, Expected};
use crate::deadline::Deadline;
use crate::outcome::{Evidence, Finding, Outcome, Why};

/// What is run.
pub(super) struct Asked<'a> {
    /// The provider's program.
    pub(super) program: &'a Path,
    /// For whom.
    pub(super) account: &'a str,
    /// Its arguments.
    pub(super) arguments: &'a [String],
    /// The most that it may print, in bytes.
    pub(super) output_max: usize,
}

/// Runs the program and keeps the lines that are expected.
pub(super) fn ask(asked: &Asked<'_>, expected: &Expected, deadline: Deadline) -> Outcome {
    if !is_fit(asked.account) {
        return Outcome::bare(Finding::None, Why::AccountUnfit);
    }
    let comment = Comment::sanitise(asked.program.as_os_str().as_encoded_bytes());
    let mut output = Output::new(asked.output_max, expected, &comment);
    let arguments: Vec<&str> = asked.arguments.iter().map(String::as_str).collect();
    let ran = child::run(asked.program, &arguments, None, deadline, |piece| {
        output.take(piece)
    });
    match ran {
        Ok(status) if status.success() => output.finish(),
        Ok(_) => Outcome::bare(Finding::Unavailable, Why::Failed),
        Err(why) => Outcome::bare(undecided(why), why),
    }
}

/// Whether the name may be handed to another program.
fn is_fit(account: &str) -> bool {
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-@+$\\".contains(&byte);
    account.bytes().all(fit)
        && account.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
}

/// A provider's output as it comes in.
struct Output<'a> {
    /// How much of it is read, in bytes.
    most: usize,
    expected: &'a Expected,
    /// What stands in the place of the lines' own comments: where they come from.
    comment: &'a Comment,
    /// The bytes of the line that is not at its end yet; no more than [`LINE_MAX`].
    line: Vec<u8>,
    /// Whether that line has grown over [`LINE_MAX`].
    overlong: bool,
    total: usize,
    kept: Vec<String>,
    skipped: u32,
}

impl<'a> Output<'a> {
    const fn new(most: usize, expected: &'a Expected, comment: &'a Comment) -> Self {
        Self {
            most,
            expected,
            comment,
            line: Vec::new(),
            overlong: false,
            total: 0,
            kept: Vec::new(),
            skipped: 0,
        }
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), Why> {
        self.total += piece.len();
        if self.total > self.most {
            return Err(Why::TooMuchOutput);
        }
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (content, ended) = match part.strip_suffix(b"\n") {
                Some(content) => (content, true),
                None => (part, false),
            };
            if self.line.len() + content.len() > LINE_MAX {
                self.overlong = true;
            } else {
                self.line.extend_from_slice(content);
            }
            if ended {
                self.end_line()?;
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), Why> {
        if self.overlong {
            self.skipped += 1;
        } else {
            match check::provided_line(&self.line, self.expected, self.comment) {
                Verdict::Print(_) if self.kept.len() == LINES_MAX => {
                    return Err(Why::TooMuchOutput);
                }
                Verdict::Print(line) => self.kept.push(line),
                Verdict::Skip => {}
                Verdict::Refuse(_) => self.skipped += 1,
            }
        }
        self.line.clear();
        self.overlong = false;
        Ok(())
    }

    /// What the whole output means. A last line without its newline is a line.
    fn finish(mut self) -> Outcome {
        if let Err(why) = self.end_line() {
            return Outcome::bare(Finding::Unavailable, why);
        }
        let finding = if self.kept.is_empty() {
            Finding::None
        } else {
            Finding::Found(self.kept)
        };
        let evidence = Evidence {
            why: Why::Provider,
            revision: None,
            staleness_ms: None,
            skipped: self.skipped,
        };
        Outcome { finding, evidence }
    }
}
