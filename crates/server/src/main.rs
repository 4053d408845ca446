//! The key server's program: see `keyroster_server`.

use std::process::ExitCode;

use clap::Parser as _;
use keyroster_server::cli::Cli;

fn main() -> ExitCode {
    keyroster_edge::install_provider();
    match Cli::try_parse() {
        Ok(cli) => keyroster_server::program::run(cli),
        Err(error) => keyroster_server::program::usage(&error),
    }
}
