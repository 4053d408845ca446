//! `record`: writes down who logged in with what, from inside of sshd's PAM stack.
//!
//! A login waits for this, so there is nothing here that could make it wait: a few small files of `/proc`, one small file in
//! memory, and nobody at the other end. Whatever goes wrong is logged, and the login goes on.

use std::ffi::OsString;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::args::Settings;
use crate::break_glass;
use crate::error::Error;
use crate::log::{Log, Severity};
use crate::membership::Membership;
use crate::pam::{self, Event, Login};
use crate::process::{Process, Processes, Stat};
use crate::record::Record;
use crate::records::Records;

/// Writes down what PAM says.
pub(crate) fn note(
    settings: &Settings,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) {
    let log = Log::to(&settings.log_socket);
    let event = match pam::read(environment) {
        Ok(event) => event,
        Err(doubt) => {
            return log.say(
                Severity::Error,
                format_args!("a session is not recorded: {doubt}"),
            );
        }
    };
    if let Err(err) = keep(settings, &log, event) {
        log.say(
            Severity::Error,
            format_args!("a session is not recorded: {err}"),
        );
    }
}

fn keep(settings: &Settings, log: &Log, event: Event) -> Result<(), Error> {
    let Some(monitor) = monitor(&Processes::of_system()).map_err(|err| Error::io("/proc", err))?
    else {
        return Ok(());
    };
    match event {
        Event::Other => Ok(()),
        Event::Closed => {
            let records = Records::open(&settings.dir)?;
            let removed = records.remove(monitor.process);
            removed.map_err(|err| Error::io(records.path(), err))
        }
        Event::Opened(login) => {
            tell_unreadable(log, &login, &monitor);
            break_glass::note(settings, log, &login, &monitor);
            if login.keys.is_empty() {
                return Ok(());
            }
            let records = Records::open(&settings.dir)?;
            let record = record(login, &monitor);
            records
                .put(&record)
                .map_err(|err| Error::io(records.path(), err))
        }
    }
}

/// sshd's process that opens the session, and whose child it is.
#[derive(Debug)]
pub(crate) struct Monitor {
    pub(crate) process: Process,
    /// The number of the process that listens.
    pub(crate) parent: u32,
}

/// The process that `pam_exec` runs in; none when that is not sshd: the line may stand in a file that `su` and `cron` read too.
fn monitor(processes: &Processes) -> io::Result<Option<Monitor>> {
    let Some(pid) = rustix::process::getppid() else {
        return Ok(None);
    };
    let pid = pid.as_raw_nonzero().get().unsigned_abs();
    let stat = processes.stat(pid)?.filter(Stat::is_sshd);
    Ok(stat.map(|stat| Monitor {
        process: Process {
            pid,
            start: stat.start,
        },
        parent: stat.parent,
    }))
}

fn record(login: Login, monitor: &Monitor) -> Record {
    let processes = Processes::of_system();
    Record {
        monitor: monitor.process,
        account: login.account,
        opened_at: now_s(),
        keys: login.keys.into_keys().collect(),
        membership: Membership::of(&processes, monitor.process.pid, monitor.parent),
    }
}

fn tell_unreadable(log: &Log, login: &Login, monitor: &Monitor) {
    if login.unreadable > 0 {
        log.say(
            Severity::Warning,
            format_args!(
                "pid={} keys={} can't be read: this session does not end with them",
                monitor.process.pid, login.unreadable
            ),
        );
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the edge of the program; the time is written down for people and nothing is decided by it"
)]
pub(crate) fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
