//! `keyroster-sessions`: which session was opened with which key, and the end of those whose key is revoked.

use std::process::ExitCode;

fn main() -> ExitCode {
    keyroster_sessions::run(std::env::args_os(), std::env::vars_os()).into()
}
