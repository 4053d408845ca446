//! Waiting for the first login, and taking the change back when none comes.
//!
//! What counts as a login is sshd's process running as the account, under the sshd that was reloaded and begun after that, for an
//! account for which sshd now runs our command. Answers of lookup's do not count: they are given before anybody has proved
//! anything. Which key it was, or whether it was one, the kernel does not know; that somebody gets in is what is asked.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use keyroster_sshd::account::Account;
use keyroster_sshd::process::Process;
use keyroster_sshd::run::pause;
use keyroster_sshd::service::Listener;
use keyroster_sshd::session::{self, Session};
use keyroster_sshd::{Connection, Sshd};

use crate::clock::{Clock, SystemClock};
use crate::core::moment::Moment;
use crate::enable::error::EnableError;
use crate::enable::record::{Outcome, Pending, Records};
use crate::enable::{drop_in, restore, watcher};
use crate::program::say;
use crate::state::dir::Lock;

/// What is to be done about a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// Look again.
    Wait,
    /// It stays: this account logged in.
    Confirm(String),
    /// It goes.
    TakeBack(&'static str),
}

/// Whether the one that makes the change is still at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// It holds the lock.
    AtWork,
    /// It is done, or dead.
    Gone,
}

/// Decides about a change.
pub fn next(pending: &Pending, now: &Moment, maker: Maker, login: Option<&str>) -> Next {
    if !pending.is_of(now.boot) {
        return Next::TakeBack("the host was started anew before anybody had logged in");
    }
    if maker == Maker::AtWork {
        return Next::Wait;
    }
    match (pending.in_effect_since, login, pending.left_ms(now)) {
        (None, _, _) => Next::TakeBack("`enable` was interrupted"),
        (Some(_), Some(account), _) => Next::Confirm(account.to_owned()),
        (Some(_), None, Some(0)) => Next::TakeBack("nobody logged in within the time that was set"),
        (Some(_), None, _) => Next::Wait,
    }
}

/// Waits until nothing waits any more.
///
/// # Errors
/// When the records can't be read.
pub fn run(state: &Path) -> Result<(), EnableError> {
    // The terminal's end must not be ours. A leader of a session already, such as a service, is free of it.
    let _ = rustix::process::setsid();
    let clock = SystemClock::new().map_err(|err| EnableError::Internal(err.to_string()))?;
    let Some(records) = Records::open(state)? else {
        return Ok(());
    };
    let _watch = watch(&records)?;
    say(watcher::WATCHING);
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let mut logins = Logins::default();
    while let Some(pending) = records.pending()? {
        let began = Instant::now();
        if let Err(err) = look(&records, &pending, &mut logins, &clock) {
            tracing::error!(%err, "a change of sshd's configuration can't be finished");
            pause(RETRY);
        }
        if records.pending()?.is_none() {
            break;
        }
        // A look at all processes costs more where there are many.
        pause((began.elapsed() * SHARE).clamp(LOOK_AGAIN, LOOK_AT_LAST));
    }
    Ok(())
}

/// Looks once, and does what is to be done.
///
/// # Errors
/// When it can't be done; it is tried again then.
fn look(
    records: &Records,
    pending: &Pending,
    logins: &mut Logins,
    clock: &SystemClock,
) -> Result<(), EnableError> {
    let login = logins.first(pending)?;
    let lock = records.try_lock()?;
    let maker = lock.as_ref().map_or(Maker::AtWork, |_| Maker::Gone);
    let decided = next(pending, &clock.now(), maker, login.as_deref());
    let Some(lock) = lock else {
        return Ok(());
    };
    // Under the lock it may be another one, or none.
    if records.pending()?.as_ref() != Some(pending) {
        return Ok(());
    }
    act(records, pending, &decided, (&lock, clock))
}

fn act(
    records: &Records,
    pending: &Pending,
    decided: &Next,
    (_lock, clock): (&Lock, &SystemClock),
) -> Result<(), EnableError> {
    match decided {
        Next::Wait => Ok(()),
        Next::Confirm(account) => confirm(records, account),
        Next::TakeBack(why) => restore::take_back(records, pending, why, &clock.now()).map(drop),
    }
}

/// Lets a change stay.
///
/// # Errors
/// When it can't be written down; it still waits then.
pub fn confirm(records: &Records, by: &str) -> Result<(), EnableError> {
    records.set_outcome(Some(&Outcome::Confirmed(by.to_owned())))?;
    records.set_pending(None)?;
    tracing::info!(by, "sshd asks keyroster, and somebody has logged in");
    Ok(())
}

/// Takes back, without waiting, what an earlier boot or a process that died has left.
///
/// # Errors
/// When that fails.
pub fn clear_up(
    records: &Records,
    pending: &Pending,
    now: &Moment,
) -> Result<Option<&'static str>, EnableError> {
    match next(pending, now, Maker::Gone, None) {
        Next::TakeBack(why) => {
            let _put = restore::take_back(records, pending, why, now)?;
            Ok(Some(why))
        }
        Next::Wait | Next::Confirm(_) => Ok(None),
    }
}

/// One waits at a time; one that is about to end is given the time to.
fn watch(records: &Records) -> Result<Lock, EnableError> {
    let until = Instant::now() + TAKE_OVER;
    loop {
        match records.try_watch()? {
            Some(lock) => return Ok(lock),
            None if Instant::now() >= until => return Err(EnableError::Busy),
            None => pause(LOOK_AGAIN),
        }
    }
}

/// Logins that were looked at and do not count.
#[derive(Debug, Default)]
struct Logins {
    judged: BTreeSet<Process>,
}

impl Logins {
    /// The account of one that counts.
    fn first(&mut self, pending: &Pending) -> Result<Option<String>, EnableError> {
        let Some(since) = pending.in_effect_since else {
            return Ok(None);
        };
        let listeners = Listener::of(&pending.subject.config)?;
        let mut parents: Vec<u32> = listeners.iter().map(|one| one.process().pid).collect();
        if parents.is_empty() {
            parents.push(SYSTEMD);
        }
        for parent in parents {
            for session in session::under(parent)? {
                if session.monitor.start <= since || self.judged.contains(&session.monitor) {
                    continue;
                }
                if let Some(account) = counts(&session, pending)? {
                    return Ok(Some(account));
                }
                self.judged.insert(session.monitor);
            }
        }
        Ok(None)
    }
}

/// The account, if sshd runs our command for it.
fn counts(session: &Session, pending: &Pending) -> Result<Option<String>, EnableError> {
    let Some(account) = Account::by_uid(session.uid)? else {
        return Ok(None);
    };
    let sshd = restore::sshd_of(&pending.subject)?;
    Ok(asks_us(&sshd, &account.name)?.then_some(account.name))
}

fn asks_us(sshd: &Sshd, account: &str) -> Result<bool, EnableError> {
    let effective = sshd.effective(&Connection::local(account)?)?;
    Ok(effective.key_program().is_some_and(drop_in::is_lookup))
}

/// Between two looks for a login: one that runs a short command must not be missed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The same where a look takes long.
const LOOK_AT_LAST: Duration = Duration::from_secs(1);
/// Times as long as a look took is waited at least.
const SHARE: u32 = 20;
/// After a failure.
const RETRY: Duration = Duration::from_secs(5);
/// The longest that one that is about to end is waited for.
const TAKE_OVER: Duration = Duration::from_secs(5);
/// Whose children the sshds of single connections are.
const SYSTEMD: u32 = 1;

#[cfg(test)]
mod tests;
