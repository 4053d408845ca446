//! Packages tried where they are to work: in roots of Debian 11, 12 and 13 with their own systemd and their own sshd.
//!
//! A root is made by debootstrap and booted by systemd-nspawn. For what hosts install, the key server runs outside, and logins come from
//! outside; the key server's own package has a root to itself.
//! A [`matrix`] is a list of steps, each a sentence and a function that fails, tried one after the other on each
//! system. `cargo xtask package --test` runs all of it and writes `docs/install-matrix.md`; the tests run one system.

pub mod base;
mod control_groups;
mod host;
mod logins;
mod machine;
pub mod matrix;
mod mirror;
mod packages;
pub mod readme;
mod release;
mod root;
mod steps;
pub mod table;
mod tree;

pub use packages::{PACKAGES_VARIABLE, PREVIOUS_VARIABLE, Packages};
pub use release::{Release, System};
pub use root::{Afterwards, Network, Root};
