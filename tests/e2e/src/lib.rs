//! A host on which logins are decided by keyroster: the real host agent, the real lookup and a real sshd, on loopback.
//!
//! Each test brings up a key server ([`keyroster_testkit::KeyServer`]) and a [`Host`] of its own, so tests share nothing but
//! the machine's accounts.

mod host;

pub use host::{Host, HostBuilder, Way};
