//! Logins that go on while something else is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use keyroster_testkit::{Failure, Finished, Result, Ssh};

/// A thread that logs in over and over, in each of several ways by turns.
#[derive(Debug)]
pub struct Logins {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u32>>,
}

/// Whether sshd is told to read its configuration again meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sshd {
    /// It is left alone, and takes every connection.
    LeftAlone,
    /// It is: then it closes its sockets, executes itself and opens them again, and who connects in between tries again.
    Reloaded,
}

impl Logins {
    /// Begins; sshd is to take every connection.
    pub fn begin(ways: Vec<Ssh>) -> Self {
        Self::with(ways, Sshd::LeftAlone)
    }

    /// Begins; sshd is reloaded meanwhile.
    pub fn across_a_reload(ways: Vec<Ssh>) -> Self {
        Self::with(ways, Sshd::Reloaded)
    }

    fn with(ways: Vec<Ssh>, sshd: Sshd) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || log_in(&ways, sshd, &seen));
        Self { stop, thread }
    }

    /// Ends after the login that is going on: how many there were, all of them let in. The first refused one is the failure.
    pub fn end(self) -> Result<u32> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(Failure::new("the thread that logs in has panicked")))
    }
}

fn log_in(ways: &[Ssh], sshd: Sshd, stop: &AtomicBool) -> Result<u32> {
    let mut logins = 0;
    let mut retries = 0;
    while !stop.load(Ordering::Relaxed) || logins == 0 {
        for way in ways {
            let mut done = way.run()?;
            while sshd == Sshd::Reloaded && retries < MAX_RETRIES && is_not_taken(&done) {
                retries += 1;
                done = way.run()?;
            }
            logins += 1;
            if !done.status.success() {
                return Err(Failure::new(format!(
                    "login {logins} was refused: {}",
                    done.stderr.trim_end()
                )));
            }
        }
    }
    Ok(logins)
}

fn is_not_taken(done: &Finished) -> bool {
    done.stderr.contains("Connection refused")
}

/// Connections that are made again; ssh takes some milliseconds for each.
const MAX_RETRIES: u32 = 100;
