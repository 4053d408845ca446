//! Ends the sessions that were opened with a key that is revoked, and no others; and tells when a break-glass key was used.
//!
//! One program with two verbs, and a third that `record` runs. `record` is run by `pam_exec` whenever sshd opens or closes a session: it writes down which keys
//! proved themselves in that login, as sshd itself says. `serve` is the daemon: the host agent tells it which keys are
//! revoked, and it ends each recorded session that one of them opened, also one that is recorded later.
//!
//! It is a program of its own, since ending other people's processes takes root and holding the host's snapshot does not. What
//! it takes from the host agent is a set of fingerprints and nothing else: whoever took over the host agent could
//! end sessions that keys opened, and not choose a process. So it needs no TLS, no parser of documents, and no runtime.
//!
//! The two verbs share a directory and no connection. A login writes one small file and is done: there is nobody it could
//! wait for, and a daemon that was down reads what it missed.
//!
//! | where | what |
//! |---|---|
//! | `pam`, `login` | what PAM says about a login, and writing it down |
//! | `break_glass`, `drill` | whether a break-glass key was used, and whether that was a trial |
//! | `spool`, `keep` | telling so: files for the host agent |
//! | `record`, `records` | what is known of a session, and the directory of it |
//! | `process` | `/proc`: who is who, and which processes belong to a session |
//! | `revoked`, `peer`, `socket` | what the host agent said, and hearing it |
//! | `helper`, `ending`, `watch` | which sessions end, and ending them |

mod args;
mod break_glass;
mod drill;
mod ending;
mod error;
mod exit;
mod helper;
mod keep;
mod log;
mod login;
mod membership;
mod pam;
mod passwd;
mod process;
mod record;
mod records;
mod revoked;
mod serve;
mod socket;
mod spool;
mod watch;

use std::ffi::OsString;

use args::{Invocation, Verb};
use error::Error;

/// Does what the arguments ask, the program's name first among them; returns the exit code.
///
/// `record` always returns zero: whatever goes wrong with the bookkeeping, the login goes on.
#[must_use]
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> u8 {
    let settings = match args::parse(arguments) {
        Ok(Invocation::Do(settings)) => settings,
        Ok(Invocation::Help) => return say(args::HELP),
        Ok(Invocation::Version) => {
            return say(concat!(
                "keyroster-sessions ",
                env!("CARGO_PKG_VERSION"),
                "\n"
            ));
        }
        Err(err) => return fail(&Error::Usage(err)),
    };
    match settings.verb {
        Verb::Record => {
            login::note(&settings, environment);
            exit::OK
        }
        Verb::Keep => {
            keep::keep(&settings);
            exit::OK
        }
        Verb::Serve => match serve::serve(&settings) {
            Ok(never) => match never {},
            Err(err) => fail(&err),
        },
    }
}

#[expect(
    clippy::print_stdout,
    reason = "help and version belong on standard output"
)]
fn say(text: &str) -> u8 {
    print!("{text}");
    exit::OK
}

#[expect(
    clippy::print_stderr,
    reason = "a daemon that can't start says why to whoever starts it"
)]
fn fail(err: &Error) -> u8 {
    eprintln!("error: {err}");
    if let Some(hint) = err.hint() {
        eprintln!("hint: {hint}");
    }
    err.exit_code()
}
