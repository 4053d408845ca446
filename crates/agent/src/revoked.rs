//! The list of revoked keys on this host.
//!
//! [`Follower`] asks the key server for it and lets it hold the question, as the poller does for the snapshot, on the same
//! connection. What it learns goes three ways:
//!
//! - to whoever subscribed, at once: [`Follower::subscribe`];
//! - to the state directory, so that a restart knows which list was the newest ([`files::REVOKED_KEYS`](crate::state::files));
//! - into the KRL that sshd reads, if `agent.toml` names one ([`krl_file`]).
//!
//! It runs whenever somebody needs the list ([`Lists`]): from the start when there is a KRL to keep, and without one once
//! sessions end with their keys. It stands beside the poller and not in it, so that neither a long list nor a slow disk
//! stands before a snapshot.
//!
//! # How to use it
//!
//! ```ignore
//! let follower = Follower::new(parts);
//! let mut list = follower.subscribe();
//! // None: nothing is known yet. What is there never goes back to an older list.
//! while list.changed().await.is_ok() {
//!     let Some(list) = list.borrow_and_update().clone() else { continue };
//!     if list.keys().contains(&fingerprint) { /* the key is revoked */ }
//! }
//! ```
//!
//! What came with the newest list is `list.keys().without(before.keys())`. A subscriber that is slow misses lists in between,
//! and never the newest.

mod ask;
mod disk;
mod follow;
pub mod krl_file;
mod needed;

pub use follow::{Follower, Listed, Parts};
pub use krl_file::{KrlFile, KrlFileError};
pub use needed::Lists;
