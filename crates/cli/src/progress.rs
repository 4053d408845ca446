//! How far long work has come: a spinner with a count on standard error, and only where somebody watches.

use std::borrow::Cow;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The progress of one piece of work; dropped, it disappears.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins, visibly if `wanted` and standard error is a terminal.
    pub(crate) fn begin(wanted: bool, what: impl Into<Cow<'static, str>>) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(wanted)).with_message(what);
        Self::styled(bar, "{spinner} {msg}: {human_pos}")
    }

    /// Begins where there is nothing to count, visibly if `wanted` and standard error is a terminal.
    pub(crate) fn waiting(wanted: bool, what: impl Into<Cow<'static, str>>) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(wanted)).with_message(what);
        let progress = Self::styled(bar, "{spinner} {msg}: {elapsed}");
        progress.0.enable_steady_tick(TICK);
        progress
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
