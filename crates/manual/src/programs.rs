//! The programs whose command line clap describes.

use clap::{Command, CommandFactory as _};

/// One of them.
#[derive(Debug)]
pub struct Program {
    /// Its command line.
    pub command: Command,
    /// The section of the manual: 1 for people, 8 for admins.
    pub section: &'static str,
}

/// All of them.
pub fn all() -> Vec<Program> {
    let program = |command, section| Program { command, section };
    vec![
        program(keyroster_cli::command(), "1"),
        program(keyroster_agent::args::Cli::command(), "8"),
        program(keyroster_server::cli::Cli::command(), "8"),
    ]
}
