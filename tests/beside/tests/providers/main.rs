//! Other providers of keys on a real sshd: each is asked through keyroster, or asks keyroster in turn.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

mod by_socket;
mod documented;
mod harm;
mod limits;
mod metadata;
mod os_login;
mod scene;
mod sssd;
mod userdb;
