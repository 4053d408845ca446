//! What sshd runs on each login: it prints the line for the offered key, or nothing.
//!
//! The lookup is a name service in the manner of nsswitch, and has three answers:
//!
//! | answer | output | exit code |
//! |---|---|---|
//! | found | the lines for the offered key | 0 |
//! | none, an authoritative no | nothing | 0 |
//! | unavailable | nothing | 75; 64 for wrong arguments, 77 for a wrong user |
//!
//! With `--chained=yes` the exit code is always 0: the lines of another provider then stand before ours.
//!
//! sshd lets nobody in by the last two. They differ in what may be concluded: after a `none` nothing is wrong.
//! How several sources come to one answer is in `decide`; which sources there are, in `chain` and `config`.
//!
//! The program runs before anybody has proved anything, twice for each login, and sshd's monitor waits for it. That gives
//! it its shape: no threads, no runtime, no library beyond std, libc and the two crates that read the protocol and
//! the lines; one buffer and one write, since lines that come before a failing exit are discarded anyway; deadlines
//! inside one another with a watchdog around all (`deadline`); and one datagram to the log, as sshd throws standard error away.
//!
//! Nothing depends on the environment, the working directory, or standard input.

mod args;
mod asked;
mod chain;
mod check;
mod config;
mod deadline;
mod decide;
mod exit;
mod fault;
mod limits;
mod log;
mod outcome;
mod output;
mod privilege;
mod provider;
mod report;
#[cfg(test)]
mod shipped;
mod sources;
#[expect(
    unsafe_code,
    reason = "the system calls that std does not offer, in one module"
)]
mod sys;
mod trust;

use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

use keyroster_grammar::provider::OfferedKey;
use keyroster_wire::Question;

use args::Invocation;
use asked::{Account, Asked, Key, Verb};
use check::Expected;
use config::Config;
use deadline::Deadline;
use decide::{Answer, Decision};
use log::{Quoted, Severity};
use privilege::Standing;
use report::{Refusal, Report};
use sources::Asker;

/// Answers sshd's question, the program's name first among `arguments`; returns the exit code.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let start = Instant::now();
    if sys::start_up().is_err() {
        return exit::UNAVAILABLE;
    }
    sys::harden();
    sys::arm_watchdog(deadline::WATCHDOG_SECONDS);
    match args::parse(arguments) {
        Ok(Invocation::Help) => output::print(args::HELP.as_bytes()),
        Ok(Invocation::Version) => {
            output::print(concat!("keyroster-lookup ", env!("CARGO_PKG_VERSION"), "\n").as_bytes())
        }
        Ok(Invocation::Answer(asked)) => {
            sys::set_watchdog_exit(asked.chained.exit(exit::UNAVAILABLE));
            asked.chained.exit(answer(&asked, start))
        }
        Err(err) => {
            let log_socket = Config::default().log_socket;
            log::send(
                &log_socket,
                Severity::Error,
                &format_args!("answer=unavailable reason=usage: {err}"),
            );
            exit::USAGE
        }
    }
}

/// Answers one question; returns the exit code.
fn answer(asked: &Asked, start: Instant) -> u8 {
    let config = match load(&asked.config) {
        Ok(config) => config,
        Err(code) => return code,
    };
    if let Err(code) = check_privilege(&config) {
        return code;
    }
    let report = Report { asked, start };
    let (question, expected) = match question(asked) {
        Ok(question) => question,
        Err(refusal) => {
            log::send(&config.log_socket, Severity::Info, &report.refused(refusal));
            return exit::OK;
        }
    };
    let chain = match asked.verb {
        Verb::Keys => &config.authorized_keys,
        Verb::Principals => &config.principals,
    };
    let asker = Asker {
        config: &config,
        verb: asked.verb,
        question,
        expected: &expected,
        deadline: Deadline::for_answer(start),
    };
    let decision = decide::decide(chain, |source, behind| asker.ask(source, behind));
    conclude(&decision, &report, &config.log_socket)
}

/// Logs the decision, then prints its lines: a reader that does not read is the watchdog's case, and is then on the log before.
fn conclude(decision: &Decision<'_>, report: &Report<'_>, log_socket: &Path) -> u8 {
    let severity = match decision.answer {
        Answer::Found(_) | Answer::None => Severity::Info,
        Answer::Unavailable => Severity::Warning,
    };
    log::send(log_socket, severity, &report.decided(decision));
    match &decision.answer {
        Answer::Found(lines) => output::print_lines(lines),
        Answer::None => exit::OK,
        Answer::Unavailable => exit::UNAVAILABLE,
    }
}

/// The question in the protocol's terms and what may answer it, or why its answer is no whoever is asked.
fn question(asked: &Asked) -> Result<(Question<'_>, Expected), Refusal> {
    let Account::Named(account) = &asked.account else {
        return Err(Refusal::ImpossibleAccount);
    };
    let Key::Fits(key_base64) = &asked.key else {
        return Err(Refusal::KeyTooLong);
    };
    let offered = OfferedKey::parse(&asked.key_type, key_base64).ok_or(Refusal::UnknownKey)?;
    let expected = match (asked.verb, &offered) {
        (Verb::Keys, _) => Expected::Keys(offered),
        (Verb::Principals, OfferedKey::SignedBy { .. }) => Expected::Principals,
        (Verb::Principals, OfferedKey::Plain { .. }) => return Err(Refusal::UnknownKey),
    };
    let question = Question {
        uid: asked.uid,
        account,
        key_type: &asked.key_type,
        key_base64,
        fingerprint: &asked.fingerprint,
    };
    Ok((question, expected))
}

fn load(path: &Path) -> Result<Config, u8> {
    match Config::load(path) {
        Ok(config) => Ok(config.unwrap_or_default()),
        Err(err) => {
            let path = Quoted(path.as_os_str().as_encoded_bytes());
            let message = format_args!("answer=unavailable reason=config file={path}: {err}");
            log::send(&Config::default().log_socket, Severity::Error, &message);
            Err(exit::UNAVAILABLE)
        }
    }
}

fn check_privilege(config: &Config) -> Result<(), u8> {
    let why = match privilege::standing() {
        Ok(Standing::Ordinary) => return Ok(()),
        Ok(Standing::Root) => "root",
        Ok(Standing::ExtraGroups) => "groups beyond the primary one",
        Err(_) => "ids that can't be had",
    };
    let message = format_args!(
        "answer=unavailable reason=not-permitted: refusing to run with {why}; \
         AuthorizedKeysCommandUser must be a user of its own"
    );
    log::send(&config.log_socket, Severity::Error, &message);
    Err(exit::NOT_PERMITTED)
}
