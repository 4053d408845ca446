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
/// When the directory of the records can't be used, or another one waits already.
pub fn run(state: &Path) -> Result<(), EnableError> {
    // The terminal's end must not be ours. A leader of a session already, such as a service, is free of it.
    let _ = rustix::process::setsid();
    let clock = SystemClock::new().map_err(|err| EnableError::Internal(err.to_string()))?;
    let Some(records) = Records::open(state)? else {
        return Ok(());
    };
    let _watch = watch(&records)?;
    let mut logins = Logins::default();
    // At a boot sshd waits until we are ready, and is to start without what an earlier boot has left.
    if let Ok(Some(pending)) = records.pending()
        && !pending.is_of(clock.now().boot)
    {
        let _ = look_and_tell(&records, &mut logins, &clock);
    }
    say(watcher::WATCHING);
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    loop {
        let began = Instant::now();
        match look_and_tell(&records, &mut logins, &clock) {
            Standing::Over => return Ok(()),
            // A look at all processes costs more where there are many.
            Standing::Waits => pause((began.elapsed() * SHARE).clamp(LOOK_AGAIN, LOOK_AT_LAST)),
            Standing::Unknown => pause(RETRY),
        }
    }
}

/// How it stands after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
enum Standing {
    /// Nothing waits any more.
    Over,
    /// A change does.
    Waits,
    /// It could not be told, or what was to be done failed.
    Unknown,
}

/// Whatever fails is tried again: nobody else would take the change back.
fn look_and_tell(records: &Records, logins: &mut Logins, clock: &SystemClock) -> Standing {
    look(records, logins, clock).unwrap_or_else(|err| {
        tracing::error!(%err, "a change of sshd's configuration can't be finished");
        Standing::Unknown
    })
}

/// Looks once, and does what is to be done.
///
/// # Errors
/// When it can't be done; it is tried again then.
fn look(
    records: &Records,
    logins: &mut Logins,
    clock: &SystemClock,
) -> Result<Standing, EnableError> {
    let Some(pending) = records.pending()? else {
        return Ok(Standing::Over);
    };
    let login = match pending.is_of(clock.now().boot) {
        true => logins.first(&pending, clock),
        false => None,
    };
    let lock = records.try_lock()?;
    let maker = lock.as_ref().map_or(Maker::AtWork, |_| Maker::Gone);
    let decided = next(&pending, &clock.now(), maker, login.as_deref());
    let Some(lock) = lock else {
        return Ok(Standing::Waits);
    };
    // Under the lock it may be another one, or none.
    if records.pending()?.as_ref() == Some(&pending) {
        act(records, &pending, &decided, (&lock, clock))?;
    }
    Ok(match records.pending()? {
        Some(_) => Standing::Waits,
        None => Standing::Over,
    })
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
/// When it still waits.
pub fn confirm(records: &Records, by: &str) -> Result<(), EnableError> {
    records.tell_outcome(&Outcome::Confirmed(by.to_owned()));
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
    /// The account of one that counts. One that can't be judged does not count, and is not asked about again: neither it nor what
    /// makes judging it fail may hold up the others, or the end of the time.
    fn first(&mut self, pending: &Pending, clock: &impl Clock) -> Option<String> {
        let since = pending.in_effect_since?;
        let sessions = sessions(pending).unwrap_or_else(|err| {
            tracing::warn!(%err, "can't tell who is logged in");
            Vec::new()
        });
        let mut asked = false;
        for session in sessions {
            if session.monitor.start <= since || self.judged.contains(&session.monitor) {
                continue;
            }
            // A directory that hangs takes its time for each.
            if asked && pending.left_ms(&clock.now()) == Some(0) {
                break;
            }
            asked = true;
            match counts(&session, pending) {
                Ok(Some(account)) => return Some(account),
                Ok(None) => {}
                Err(err) => {
                    tracing::warn!(%err, uid = session.uid, "a login can't be judged, and so does not count");
                }
            }
            self.judged.insert(session.monitor);
        }
        None
    }
}

/// Everybody who is logged in through the sshd that the change is about.
fn sessions(pending: &Pending) -> Result<Vec<Session>, EnableError> {
    let listeners = Listener::of(&pending.subject.config)?;
    let mut parents: Vec<u32> = listeners.iter().map(|one| one.process().pid).collect();
    if parents.is_empty() {
        parents.push(SYSTEMD);
    }
    let mut sessions = Vec::new();
    for parent in parents {
        sessions.extend(session::under(parent)?);
    }
    Ok(sessions)
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
