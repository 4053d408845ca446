//! `keyroster-agent doctor`: what is wrong on this host, why it matters, and the command that mends it.
//!
//! Facts are gathered at the edge, each with a deadline, and judged by checks that are pure. What could not be seen is said and not
//! guessed. sshd is asked what it would do (`sshd -T -C`); its files are read only to name the line to blame. It changes
//! nothing without [`fix`], and shows what it would change first.
//!
//! Every finding has an id that stays; docs/doctor.md has them all, and a test compares the page with [`checks::CATALOGUE`].

pub mod args;
pub mod checks;
pub mod facts;
pub mod finding;
pub mod fix;
pub mod look;
pub mod report;

use std::io::Write as _;

use crate::doctor::args::DoctorArgs;
use crate::doctor::fix::Leave;
use crate::doctor::report::{Report, Shown};

/// Looks, prints what was found, and returns the exit code.
#[must_use]
pub fn main(args: &DoctorArgs) -> u8 {
    let mut report = look::at_everything(args);
    if args.fix {
        match mend(&report, args.yes) {
            Ok(true) => report = look::at_everything(args),
            Ok(false) => {}
            Err(err) => {
                let _ = writeln!(std::io::stderr().lock(), "error: can't mend it: {err}");
            }
        }
    }
    let text = match (args.json, args.all) {
        (true, _) => format!("{}\n", report.to_json()),
        (false, true) => report.to_text(Shown::All),
        (false, false) => report.to_text(Shown::Problems),
    };
    // Nobody is left to tell when standard output is closed.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    report.exit_status()
}

fn mend(report: &Report, yes: bool) -> std::io::Result<bool> {
    let leave = if yes { Leave::Given } else { Leave::Asked };
    fix::run(&fix::of(report), leave)
}
