//! `enable` and `disable`: sshd is told to ask keyroster, and told no longer.
//!
//! Installing changes nothing about logins; this does, and whoever does it may be on the host through the very sshd that is
//! changed. So nothing is changed before it is proven as far as it can be, what was there is on disk before it is replaced, and
//! a change that nobody confirms by logging in is taken back by a process that depends on no terminal.
//!
//! | where | what |
//! |---|---|
//! | [`args`], [`places`] | what was asked for, and which files and programs that means |
//! | [`drop_in`], [`diff`] | the text that sshd gets, as pure functions |
//! | [`mod@file`], [`record`] | the drop-in and root's own records on disk |
//! | [`prove`] | everything that is looked at and tried before, in its order |
//! | [`preconditions`], [`granted`], [`way_in`], [`proof`] | what must hold before, and what a trial shows |
//! | [`keys_at_hand`], [`trial_login`], [`break_glass_login`] | with which key to log in to which account before anything is changed |
//! | [`whereabouts`] | the files and lines to blame |
//! | [`change`], [`restore`] | the steps that change something, and their way back |
//! | [`finish`], [`watcher`] | waiting for the first login, on its own |
//! | [`verb`], [`mod@disable`] | the two verbs |

pub mod args;
pub mod break_glass_login;
pub mod change;
pub mod diff;
pub mod disable;
pub mod drop_in;
pub mod error;
pub mod file;
pub mod finish;
pub mod granted;
pub mod keys_at_hand;
pub mod places;
pub mod preconditions;
pub mod proof;
pub mod prove;
pub mod record;
pub mod restore;
pub mod trial_login;
pub mod verb;
pub mod watcher;
pub mod way_in;
pub mod whereabouts;

pub use disable::disable;
pub use error::EnableError;
pub use verb::enable;
