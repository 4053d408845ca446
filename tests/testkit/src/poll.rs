//! Waiting for something that sends no event: a port that opens, a child that exits.

use std::time::{Duration, Instant};

use crate::{Failure, Result};

/// How long [`until`] rests between two looks.
pub const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Looks until `probe` gives a value, at most for `limit`; then fails naming `what` was waited for.
///
/// The limit only ends a wait that will never succeed: no test's verdict hangs on how fast something was.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if started.elapsed() >= limit {
            return Err(Failure::new(format!(
                "waited {} s for {what}",
                limit.as_secs_f32()
            )));
        }
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one sleep of the fixtures; a port or a child gives nothing to wait on"
)]
fn pause() {
    std::thread::sleep(POLL_INTERVAL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_never_comes_is_named_in_the_failure() {
        let failure = until("the tide", Duration::ZERO, || Ok(None::<()>)).unwrap_err();
        assert!(failure.to_string().contains("the tide"), "{failure}");
    }

    #[test]
    fn a_probe_that_fails_ends_the_wait_at_once() {
        let failure = until("x", Duration::MAX, || {
            Err::<Option<()>, _>(Failure::new("broken"))
        })
        .unwrap_err();
        assert_eq!(failure.to_string(), "broken");
    }
}
