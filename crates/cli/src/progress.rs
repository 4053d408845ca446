//! How far long work has come, on standard error: a spinner with a count where somebody watches, and for a wait also a line now and
//! then where only a log does.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

/// The progress of one piece of work; dropped, it disappears.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins, visibly if `wanted` and standard error is a terminal.
    pub(crate) fn begin(wanted: bool, what: impl Into<Cow<'static, str>>) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(wanted)).with_message(what);
        Self::styled(bar, "{spinner} {msg}: {human_pos}")
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        // A template that does not parse leaves the library's own style.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So many more are done.
    pub(crate) fn advance(&self, count: usize) {
        self.0.inc(count as u64);
    }
}

/// Who looks at standard error during a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Nobody who wants to be told.
    Nobody,
    /// Whoever watches a terminal, if it is one.
    Watching,
    /// The same, else whoever reads what was said.
    Reading,
}

/// How many hosts have confirmed a change while it is waited for; dropped, it disappears.
#[derive(Debug)]
pub(crate) struct HostsProgress {
    bar: Progress,
    lines: Option<Mutex<Lines>>,
}

impl HostsProgress {
    /// Begins.
    pub(crate) fn begin(audience: Audience) -> Self {
        let target = target(audience != Audience::Nobody);
        let bar = ProgressBar::with_draw_target(None, target).with_message(HOSTS);
        let bar = Progress::styled(bar, "{spinner} {msg}: {elapsed}");
        bar.0.enable_steady_tick(TICK);
        // A terminal that can't move its cursor shows no bar either.
        let lines = audience == Audience::Reading && bar.0.is_hidden();
        Self {
            bar,
            lines: lines.then(Mutex::default),
        }
    }

    /// So many of so many have confirmed by now.
    pub(crate) fn show(&self, confirmed: usize, all: usize, now: Instant) {
        let text = format!("{HOSTS}: {confirmed} of {all} have confirmed");
        self.bar.0.set_message(text.clone());
        let Some(lines) = &self.lines else { return };
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.next(confirmed, now) == Line::Due {
            // Whoever does not read what was said misses nothing of the answer.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// The lines that were written.
#[derive(Debug, Default)]
struct Lines {
    last: Option<(usize, Instant)>,
}

/// Whether there is something new to say, and it is time to.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Due,
    NotDue,
}

impl Lines {
    fn next(&mut self, confirmed: usize, now: Instant) -> Line {
        if let Some((said, at)) = self.last
            && (said == confirmed || now.saturating_duration_since(at) < LINE_PAUSE)
        {
            return Line::NotDue;
        }
        self.last = Some((confirmed, now));
        Line::Due
    }
}

fn target(wanted: bool) -> ProgressDrawTarget {
    match wanted && std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// How often a wait shows that it goes on.
const TICK: Duration = Duration::from_millis(100);
/// At most one line in this time where nobody watches.
const LINE_PAUSE: Duration = Duration::from_secs(3);
/// What a change waits for.
const HOSTS: &str = "waiting for the hosts";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_when_the_count_has_changed_and_the_last_one_is_a_while_ago() {
        let (mut lines, begun) = (Lines::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        for (confirmed, seconds, line) in [
            (0, 0, Line::Due),
            (1, 1, Line::NotDue),
            (2, 3, Line::Due),
            (2, 9, Line::NotDue),
            (3, 10, Line::Due),
        ] {
            assert_eq!(lines.next(confirmed, at(seconds)), line, "{confirmed}");
        }
    }
}
