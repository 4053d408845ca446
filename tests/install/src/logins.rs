//! Logins that go on while something else is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use keyroster_testkit::{Failure, Result, Ssh};

/// A thread that logs in over and over, in each of several ways by turns.
#[derive(Debug)]
pub struct Logins {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u32>>,
}

impl Logins {
    /// Begins.
    pub fn begin(ways: Vec<Ssh>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || log_in(&ways, &seen));
        Self { stop, thread }
    }

    /// Ends after the login that is going on: how many there were, all of them let in. The first refused one is the failure.
    pub fn end(self) -> Result<u32> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(Failure::new("the thread that logs in has panicked")))
    }
}

fn log_in(ways: &[Ssh], stop: &AtomicBool) -> Result<u32> {
    let mut logins = 0;
    while !stop.load(Ordering::Relaxed) || logins == 0 {
        for way in ways {
            let done = way.run()?;
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
