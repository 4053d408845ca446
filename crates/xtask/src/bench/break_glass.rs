//! How long it takes until a break-glass login is known, measured by a program of `tests/bench`.

use keyroster_testkit::Result;
use serde::{Deserialize, Serialize};

use super::Options;
use super::estates::{Spread, header, row, run};
use super::figures::Aim;
use crate::workspace::{Workspace, parse_json};

/// The report of `break-glass`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    killed: Spread,
    cut: Spread,
    syslog: Spread,
    session: Spread,
    late: usize,
}

/// Runs the program.
pub fn measure(workspace: &Workspace, options: &Options) -> Result<Results> {
    let trials = [("--trials", options.runs(TRIALS))];
    let said = run(workspace, "break-glass", &trials)?;
    parse_json("break-glass", &said)
}

impl Results {
    /// The aims, in the words of the design.
    pub fn aims(&self) -> Vec<Aim> {
        let longest = self.killed.max_ms.max(self.cut.max_ms);
        vec![
            Aim::at_most(
                "a break-glass login told to a key server that is back, s",
                longest / 1e3,
                10.0,
            ),
            Aim::at_most(
                "break-glass logins that spoke before syslog did",
                self.late as f64,
                0.0,
            ),
        ]
    }

    /// Prints the table.
    pub fn print(&self) {
        header();
        row(
            "a killed key server is back, until it has the use",
            self.killed,
        );
        row("a cut line is whole again, until it has the use", self.cut);
        row("start of ssh, until the use is on syslog", self.syslog);
        row("  until the session says something", self.session);
        println!();
    }
}

const TRIALS: u32 = 20;
