//! `keyroster-manual DIR`: writes the manual pages and the completions below DIR.
#![expect(clippy::print_stderr, reason = "a command for builders of packages")]

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1) else {
        eprintln!("error: no directory\nhint: keyroster-manual DIR");
        return ExitCode::FAILURE;
    };
    match keyroster_manual::write(Path::new(&dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write below {dir:?}: {error}");
            ExitCode::FAILURE
        }
    }
}
