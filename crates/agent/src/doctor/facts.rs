//! What doctor looks at, gathered at the edge: the checks are pure and see nothing else.
//!
//! Each look may fail for a reason of its own, and has a deadline. A check that misses its facts says so and guesses nothing.

pub mod accounts;
pub mod agent;
pub mod break_glass;
pub mod files;
pub mod kernel;
pub mod key_files;
pub mod locals;
pub mod logins;
pub mod lookup;
pub mod pending;
pub mod reload;
pub mod server;
pub mod sshd;
pub mod system;

use std::sync::mpsc;
use std::time::Duration;

/// A fact, or why it could not be seen.
pub type Seen<T> = Result<T, Unseen>;

/// Why something could not be seen, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen(pub String);

impl Unseen {
    /// For this reason.
    pub fn because(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

/// Looks in a thread of its own, which is left behind when it does not come back in time: a name service, a file system or a
/// socket that hangs must not hang whoever looks for what hangs.
pub fn within<T: Send + 'static>(
    limit: Duration,
    what: &str,
    look: impl FnOnce() -> Seen<T> + Send + 'static,
) -> Seen<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(look()));
    receiver.recv_timeout(limit).unwrap_or_else(|_| {
        Err(Unseen(format!(
            "{what} did not answer within {} s",
            limit.as_secs()
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_does_not_answer_is_left_behind() {
        let (keep, blocked) = mpsc::channel::<()>();
        let seen = within(Duration::from_millis(20), "a friend", move || {
            let _ = blocked.recv();
            Ok(())
        });
        assert!(seen.is_err_and(|unseen| unseen.0.contains("a friend")));
        drop(keep);
    }
}
