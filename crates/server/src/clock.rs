//! The clock of a running key server.
//!
//! Everything below the edge takes the moment as a parameter. What runs for as long as the process does needs somewhere to
//! ask for it, and tests need to answer: hence a trait, the one seam of its kind beside [`crate::random`].

use keyroster_roster::Timestamp;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn unix_millis(&self) -> u64;

    /// The moment, in whole seconds.
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(i64::try_from(self.unix_millis() / 1000).unwrap_or(i64::MAX))
    }
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_millis(&self) -> u64 {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the server's edge to the clock"
        )]
        let now = std::time::SystemTime::now();
        // A clock before 1970 is as wrong as one that stands still there, and every credential is then not yet valid.
        now.duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            })
    }
}
