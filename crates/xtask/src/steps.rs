//! Named steps, each printed with the time it took.

use std::time::{Duration, Instant};

use keyroster_testkit::{Failure, Result};

/// The steps done so far.
#[derive(Debug)]
pub struct Steps {
    started: Instant,
    done: Vec<(String, Duration)>,
}

impl Steps {
    /// Begins to count.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            done: Vec::new(),
        }
    }

    /// Does one step under a heading of its own. The first that fails ends the run, and the failure names it.
    pub fn run<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("── {name}");
        let started = Instant::now();
        let value =
            work().map_err(|failure| Failure::new(format!("step \"{name}\" failed: {failure}")))?;
        let took = started.elapsed();
        println!("── {name}: ok ({})\n", short(took));
        self.done.push((name.to_owned(), took));
        Ok(value)
    }

    /// Does one step of a story: a numbered line and its time.
    pub fn tell<T>(&mut self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = Instant::now();
        let number = self.done.len() + 1;
        let value =
            work().map_err(|failure| Failure::new(format!("step {number}, {what}: {failure}")))?;
        let took = started.elapsed();
        println!("{number:>3}. {what} ({})", short(took));
        self.done.push((what.to_owned(), took));
        Ok(value)
    }

    /// How long it has all taken.
    pub fn total(&self) -> Duration {
        self.started.elapsed()
    }

    /// Prints every step with its time, and the sum.
    pub fn summary(&self) {
        let width = self
            .done
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0)
            .max("in all".len());
        for (name, took) in &self.done {
            println!("{name:<width$}  {:>8}", short(*took));
        }
        println!("{:<width$}  {:>8}", "in all", short(self.total()));
    }
}

/// A time as a person would say it: `12 ms`, `3.4 s`, `2 min 5 s`.
pub fn short(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..=59 => format!("{:.1} s", time.as_secs_f32()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_in_the_failure() {
        let failure = Steps::new()
            .run("clippy", || Err::<(), _>(Failure::new("no")))
            .unwrap_err();
        assert_eq!(failure.to_string(), "step \"clippy\" failed: no");
    }

    #[test]
    fn times_are_said_in_the_unit_that_fits() {
        let said = [12, 3_400, 125_000].map(|millis| short(Duration::from_millis(millis)));
        assert_eq!(said, ["12 ms", "3.4 s", "2 min 5 s"]);
    }
}
