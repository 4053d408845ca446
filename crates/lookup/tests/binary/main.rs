//! The lookup as sshd runs it: the real program, as an unprivileged user, its output and exit code.
//!
//! The host agent is played by the tests. That is right here and nowhere else: what matters is what the lookup does with a
//! peer that answers wrongly, slowly or not at all, and the real one can't be made to. The two are run together in the tests
//! that log in.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a fixture that fails ends its test"
)]

mod accounts;
mod answers;
mod command;
mod configuration;
mod direct;
mod hostile;
mod keys;
mod limits;
mod logging;
mod peers;
mod principals;
mod privilege;
mod process;
mod support;
mod watchdog;
