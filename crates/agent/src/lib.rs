//! The host agent: keeps one host's snapshot of the roster and answers logins from it.
//!
//! [`core`] decides, in pure code with time passed in; everything around it acts: [`fetch`] asks the key server, [`state`] is
//! the disk, [`socket`] and [`lookup_once`] are the two ways in which lookup asks, and [`shared`] stands between the one
//! who learns ([`poll`]) and those who answer.
//!
//! It is a library so that its tests reach every part; `main.rs` only calls [`program::main`].

pub mod admission;
pub mod alert;
pub mod args;
pub mod break_glass;
pub mod cache;
pub mod certificate;
pub mod clock;
pub mod config;
pub mod core;
pub mod daemon;
pub mod doctor;
pub mod enable;
pub mod enroll;
pub mod error;
pub mod exit;
pub mod fetch;
pub mod keeper;
pub mod lookup_once;
pub mod peers;
pub mod poll;
pub mod program;
pub mod random;
pub mod renew;
pub mod reply;
pub mod reports;
pub mod revoked;
pub mod sessions;
pub mod shared;
pub mod socket;
pub mod state;
pub mod status;
pub mod trust;

mod open_flags;
mod spans;
mod whole_file;

#[cfg(test)]
mod enrolment_server;
#[cfg(test)]
mod testing;
