//! Tries keyroster on kernels that enforce, and prints the table: see `keyroster_enforcing`. `enforcing-matrix STORE [SYSTEM…]`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its report, for whoever runs it"
)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut tell = |line: &str| eprintln!("{line}");
    match keyroster_enforcing::matrix::main(std::env::args().skip(1), &mut tell) {
        Ok(document) => {
            print!("{document}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
