//! The command line of keyroster: the library behind the program `keyroster`.
//!
//! A command reads its words into the types of `keyroster-keys` at the door, asks the key server, and returns a report: the
//! same facts as JSON and for people. Only [`run`] touches the outputs, the clock and the process's environment, so that
//! everything beneath it can be asked for any moment and any configuration.

mod address;
mod args;
mod ca;
mod client;
mod commands;
mod config;
mod environment;
mod exit;
mod failure;
mod private_file;
mod progress;
mod report;
mod secret;
mod session;
mod settings;
mod span;
mod succession;
mod table;
mod target;
mod terminal;
mod text;
mod usage;
mod wait;

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::Parser as _;
use keyroster_api::Timestamp;

use crate::args::Cli;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::report::{Outcome, Report};
use crate::session::Session;
use crate::terminal::Styles;

/// The command line, for whoever writes manuals and completions.
#[must_use]
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Runs the program with these arguments, the first of which is its own name, and returns its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    keyroster_edge::install_provider();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage::show(&error),
    };
    let environment = Environment::of_process();
    let styles = Styles::detect(cli.global.no_color || environment.no_color);
    let (json, quiet) = (cli.global.json, cli.global.quiet);
    let done = answer(cli, environment).and_then(|report| show(&report, json, quiet, styles));
    match done {
        Ok(Outcome::Done) => exit::SUCCESS,
        Ok(Outcome::Unsound) => Exit::Data.code(),
        Ok(Outcome::Pending) => Exit::TempFail.code(),
        Err(failure) => {
            complain(&failure, styles);
            failure.exit().code()
        }
    }
}

fn answer(cli: Cli, environment: Environment) -> Result<Report> {
    let session = Session::new(cli.global, environment, now());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Io, format!("can't start: {error}")))?;
    runtime.block_on(async {
        let done = commands::run(cli.command, &session).await;
        // Whatever became of the command: an exchange may end before the next one.
        let note = succession::follow(&session).await;
        done.map(|report| report.notes_from(note))
    })
}

/// The moment of this run: read once, so that every part of a command means the same one.
fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the program's edge")]
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = since_epoch.map_or(0, |since| since.as_secs());
    Timestamp::from_unix(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn show(report: &Report, json: bool, quiet: bool, styles: Styles) -> Result<Outcome> {
    let text = match json {
        true => report.json(),
        false => report.text(quiet, styles.stdout),
    };
    let written = io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Failure::new(
                Exit::Io,
                format!("can't write the answer: {error}"),
            ));
        }
        // Whoever read the answer has read enough of it.
        _ => {}
    }
    if !quiet && !json {
        let notes = report.notes();
        // Notes are extras: an answer whose notes can't be written is still the answer.
        let _ = io::stderr().write_all(notes.as_bytes());
    }
    Ok(report.outcome())
}

fn complain(failure: &Failure, styles: Styles) {
    let text = failure.to_string();
    let shown = match text.strip_prefix("error:") {
        Some(rest) => format!("{}{rest}\n", terminal::bold("error:", styles.stderr)),
        None => format!("{text}\n"),
    };
    // There is nowhere left to tell that it could not be told; the exit code still does.
    let _ = io::stderr().write_all(shown.as_bytes());
}
