//! Which sessions end.
//!
//! Two things are looked at together, a record and the set of revoked keys, and either may come first. Whoever adds to one of them
//! looks at the other *afterwards*: a login that is recorded while a revocation arrives is seen by one of the two or by both,
//! never by neither.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyroster_keys::Fingerprint;

use crate::ending;
use crate::log::{Log, Severity};
use crate::process::{Process, Processes, Stat};
use crate::record::Record;
use crate::records::Records;
use crate::revoked::Heard;

/// What the daemon's threads share.
#[derive(Debug)]
pub(crate) struct Helper {
    records: Records,
    processes: Processes,
    log: Log,
    revoked: Mutex<BTreeSet<Fingerprint>>,
    /// The sessions that are being ended now.
    ending: Mutex<BTreeSet<Process>>,
}

/// What becomes of a recorded session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
enum Verdict {
    /// It is over: its record goes.
    Forget,
    /// None of its keys is revoked.
    Leave,
    /// This key of it is.
    End(Fingerprint),
}

impl Helper {
    pub(crate) fn new(records: Records, processes: Processes, log: Log) -> Self {
        Self {
            records,
            processes,
            log,
            revoked: Mutex::default(),
            ending: Mutex::default(),
        }
    }

    /// The daemon's log.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Learns what the host agent said, and looks at all sessions.
    pub(crate) fn hear(self: &Arc<Self>, heard: Heard) {
        match heard {
            Heard::Nothing => return,
            Heard::All(keys) => *self.revoked() = keys,
            Heard::More(keys) => self.revoked().extend(keys),
        }
        self.look_at_all();
    }

    /// Looks at every record.
    pub(crate) fn look_at_all(self: &Arc<Self>) {
        match self.records.all() {
            Ok(all) => all.into_iter().for_each(|monitor| self.look_at(monitor)),
            Err(err) => self.log.say(
                Severity::Error,
                format_args!("the records of sessions can't be listed: {err}"),
            ),
        }
    }

    /// Looks at one record.
    pub(crate) fn look_at(self: &Arc<Self>, monitor: Process) {
        let looked = self.records.get(monitor).and_then(|record| {
            let stat = self.processes.of(monitor)?;
            Ok(record.map(|record| (judge(&record, stat.as_ref(), &self.revoked()), record)))
        });
        match looked {
            Ok(None) => {}
            Ok(Some((verdict, record))) => self.obey(verdict, record),
            Err(err) => self.log.say(
                Severity::Error,
                format_args!("pid={} session can't be looked at: {err}", monitor.pid),
            ),
        }
    }

    fn obey(self: &Arc<Self>, verdict: Verdict, record: Record) {
        match verdict {
            Verdict::Leave => {}
            Verdict::Forget => self.forget(record.monitor),
            Verdict::End(key) => {
                if !self.being_ended().insert(record.monitor) {
                    return;
                }
                // Each by a thread of its own, so that a session which resists does not keep the others alive.
                let (helper, own) = (Arc::clone(self), record.clone());
                let ending = std::thread::Builder::new().spawn(move || helper.end(&own, key));
                if ending.is_err() {
                    // Where there are no more threads to be had: late is better than never.
                    self.end(&record, key);
                }
            }
        }
    }

    fn end(&self, record: &Record, key: Fingerprint) {
        let (pid, account) = (record.monitor.pid, record.account_text());
        match ending::end(&self.processes, record) {
            Ok(ended) if ended.left == 0 => {
                self.log.say(
                    Severity::Notice,
                    format_args!(
                        "session ended: account={account} key={key} pid={pid} killed={}",
                        ended.killed
                    ),
                );
                self.forget(record.monitor);
            }
            Ok(ended) => self.log.say(
                Severity::Error,
                format_args!(
                    "session resists: account={account} key={key} pid={pid} left={}",
                    ended.left
                ),
            ),
            Err(err) => self.log.say(
                Severity::Error,
                format_args!("session not ended: account={account} key={key} pid={pid}: {err}"),
            ),
        }
        self.being_ended().remove(&record.monitor);
    }

    fn forget(&self, monitor: Process) {
        if let Err(err) = self.records.remove(monitor) {
            self.log.say(
                Severity::Error,
                format_args!("pid={} record can't be removed: {err}", monitor.pid),
            );
        }
    }

    fn revoked(&self) -> MutexGuard<'_, BTreeSet<Fingerprint>> {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn being_ended(&self) -> MutexGuard<'_, BTreeSet<Process>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `stat` is what is known of the very process that the record names. What is not sshd any more is none of ours.
fn judge(record: &Record, stat: Option<&Stat>, revoked: &BTreeSet<Fingerprint>) -> Verdict {
    if !stat.is_some_and(Stat::is_sshd) {
        return Verdict::Forget;
    }
    match record.keys.iter().find(|key| revoked.contains(key)) {
        Some(key) => Verdict::End(*key),
        None => Verdict::Leave,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    const MONITOR: Process = Process {
        pid: 41,
        start: 4711,
    };

    fn key(number: u8) -> Fingerprint {
        Fingerprint::from_digest([number; 32])
    }

    fn opened_with(keys: &[u8]) -> Record {
        let keys = keys.iter().map(|number| key(*number)).collect();
        Record {
            keys,
            ..record(MONITOR)
        }
    }

    fn stat(program: &str) -> Stat {
        Stat {
            parent: 1,
            start: 4711,
            program: program.into(),
            is_zombie: false,
        }
    }

    #[test]
    fn a_session_ends_when_any_key_of_its_login_is_revoked_and_else_stays() {
        let sshd = stat("sshd");
        let judged = |keys: &[u8], revoked: &[u8]| {
            judge(
                &opened_with(keys),
                Some(&sshd),
                &revoked.iter().map(|number| key(*number)).collect(),
            )
        };
        assert_eq!(judged(&[1], &[]), Verdict::Leave);
        assert_eq!(judged(&[1], &[2, 3]), Verdict::Leave);
        assert_eq!(judged(&[1], &[1]), Verdict::End(key(1)));
        assert_eq!(judged(&[1, 2], &[2]), Verdict::End(key(2)));
    }

    #[test]
    fn a_session_whose_process_is_gone_or_is_not_sshd_is_forgotten_and_not_ended() {
        let revoked = BTreeSet::from([key(1)]);
        let record = opened_with(&[1]);
        assert_eq!(judge(&record, None, &revoked), Verdict::Forget);
        assert_eq!(
            judge(&record, Some(&stat("bash")), &revoked),
            Verdict::Forget
        );
    }
}
