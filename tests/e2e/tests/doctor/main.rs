//! `keyroster-agent doctor` on a host with a real sshd.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod host;
mod settings;
mod support;
mod ways_in;
mod whole;
