//! Ends a session: sshd's process, so that the connection closes, and then whatever the session left running.
//!
//! Everything is signalled through a process descriptor, opened first and compared with what is meant afterwards. A number that was given to
//! another process in between is then seen, and a process that ends in between is missed by the signal and nobody is hit.
//!
//! sshd's monitor passes SIGTERM on to the process that serves the account, waits for it, and closes the PAM session. It may be
//! kept from that, as the account can stop its own process; so it is given a moment and then killed. What runs without
//! a terminal, and what has detached itself, sshd leaves alone.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::membership::{Members, Membership, Scope};
use crate::process::{Process, Processes, Stat};
use crate::record::Record;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    /// How many processes had to be killed.
    pub(crate) killed: usize,
    /// How many of the session's processes are still there.
    pub(crate) left: usize,
}

/// Ends the session of this record. One that is over already is ended.
pub(crate) fn end(processes: &Processes, record: &Record) -> io::Result<Ended> {
    let Some(monitor) = Handle::open(processes, record.monitor, Stat::is_sshd)? else {
        return Ok(Ended::default());
    };
    let mut members = Members::new(processes, &record.membership, record.monitor);
    // Seen before sshd lets go of them: who their parent was is not known afterwards.
    members.look()?;
    monitor.signal(Signal::TERM)?;
    let mut ended = Ended::default();
    if monitor.outlasts(GRACE)? {
        monitor.signal(Signal::KILL)?;
        ended.killed += 1;
        monitor.outlasts(KILL_WAIT)?;
    }
    if let Membership::Scope(scope) = &record.membership {
        kill_scope(scope);
    }
    sweep(processes, &mut members, &mut ended)?;
    Ok(ended)
}

/// Kills again and again, until there is nothing left: what is being killed may have started something else meanwhile. That there
/// is nothing is believed when it was seen twice, without anything going away under the eyes.
fn sweep(processes: &Processes, members: &mut Members<'_>, ended: &mut Ended) -> io::Result<()> {
    let mut empty_looks = 0;
    for _ in 0..ROUNDS {
        let look = members.look()?;
        ended.left = look.found.len();
        if look.found.is_empty() {
            empty_looks += u32::from(look.is_whole);
            if empty_looks == EMPTY_LOOKS {
                break;
            }
            continue;
        }
        empty_looks = 0;
        let mut killed = Vec::new();
        for member in look.found {
            if let Some(member) = Handle::open(processes, member, |_| true)? {
                member.signal(Signal::KILL)?;
                killed.push(member);
            }
        }
        let until = Instant::now() + KILL_WAIT;
        for member in &killed {
            if !member.outlasts(until.saturating_duration_since(Instant::now()))? {
                ended.killed += 1;
            }
        }
    }
    Ok(())
}

/// All of a control group at one stroke, where the kernel can (5.14 and later); the sweep behind it does what this did not.
fn kill_scope(scope: &Scope) {
    for dir in scope.dirs() {
        let _missing_in_the_other_hierarchies = std::fs::OpenOptions::new()
            .write(true)
            .open(dir.join("cgroup.kill"))
            .and_then(|mut file| io::Write::write_all(&mut file, b"1"));
    }
}

/// A process that can't be mistaken for another.
#[derive(Debug)]
struct Handle(OwnedFd);

impl Handle {
    /// A handle on exactly this process; none when it has ended, or is not what it should be.
    fn open(
        processes: &Processes,
        process: Process,
        is_right: impl FnOnce(&Stat) -> bool,
    ) -> io::Result<Option<Self>> {
        let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => Self(handle),
            Err(Errno::SRCH) => return Ok(None),
            Err(err) => return Err(err.into()),
        };
        // Only now: the number may have gone to another process before the descriptor was opened.
        let stat = processes.of(process)?;
        Ok(stat.filter(is_right).map(|_| handle))
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.0, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(err) => Err(err.into()),
        }
    }

    /// Whether it still runs after `limit`.
    fn outlasts(&self, limit: Duration) -> io::Result<bool> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&timeout)) {
                Ok(count) => return Ok(count == 0),
                Err(Errno::INTR) => {}
                Err(err) => return Err(err.into()),
            }
        }
    }
}

/// Whether the kernel has process descriptors.
pub(crate) fn check_kernel() -> io::Result<()> {
    pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    Ok(())
}

/// How long sshd may take to close a connection before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// How long processes may take to go that were killed, in each round.
const KILL_WAIT: Duration = Duration::from_millis(500);
/// How often what is left is killed: an account that starts processes faster is bounded by its own limits.
const ROUNDS: usize = 40;
/// How often nothing must have been seen.
const EMPTY_LOOKS: u32 = 2;
