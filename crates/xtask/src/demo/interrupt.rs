//! Ctrl-C, and SIGTERM: the demo ends where it is and cleans up.
//!
//! The programs that the demo waits for are in its process group and get the signal themselves; the servers are in groups
//! of their own and are ended by the clean-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyroster_testkit::{Failure, Result, until};

/// Whether somebody wants this to end.
#[derive(Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Begins to watch, in place of ending at once.
    pub fn watch() -> Result<Self> {
        let seen = Arc::new(AtomicBool::new(false));
        for signal in [
            signal_hook::consts::SIGINT,
            signal_hook::consts::SIGTERM,
            signal_hook::consts::SIGHUP,
        ] {
            signal_hook::flag::register(signal, Arc::clone(&seen)).map_err(|error| {
                Failure::new(format!("cannot watch for signal {signal}: {error}"))
            })?;
        }
        Ok(Self(seen))
    }

    /// Fails once somebody has asked for the end.
    pub fn check(&self) -> Result {
        if self.0.load(Ordering::Relaxed) {
            return Err(Failure::new("interrupted"));
        }
        Ok(())
    }

    /// Returns when somebody asks for the end.
    pub fn wait(&self) {
        // `check` fails at the signal; nothing else ends this.
        let _ = until("Ctrl-C", Duration::MAX, || {
            self.check().map(|()| None::<()>)
        });
    }
}
