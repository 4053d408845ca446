//! `keyroster-agent enable` and `disable`, on a host with a real sshd.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

mod break_glass;
mod disabling;
mod enabling;
mod interrupted;
mod leaving;
mod refused;
mod support;
mod watching;
