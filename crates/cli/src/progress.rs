//! How far long work has come: a spinner with a count on standard error, and only where somebody watches.

use std::borrow::Cow;
use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The progress of one piece of work; dropped, it disappears.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins, visibly if `wanted` and standard error is a terminal.
    pub(crate) fn begin(wanted: bool, what: impl Into<Cow<'static, str>>) -> Self {
        let target = match wanted && std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target).with_message(what);
        // A template that does not parse leaves the library's own style.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}: {human_pos}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So many more are done.
    pub(crate) fn advance(&self, count: usize) {
        self.0.inc(count as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
