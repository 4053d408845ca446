//! The program against the installed sshd: two verbs, PAM in between, and sessions that end.
//!
//! What the host agent would say is said by the test, so that these need no key server; with one they are in `tests/e2e`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a fixture that fails says why by panicking"
)]

mod break_glass;
mod ending;
mod hearing;
mod recording;
mod support;
