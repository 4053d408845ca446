//! `keyroster`: the key server's command line, for people.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(keyroster_cli::run(std::env::args_os()))
}
