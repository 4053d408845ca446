//! The break-glass keys of this host: the way in that asks nobody.
//!
//! sshd reads them itself, from a plain file of root's for each account, and before it runs the key command. So nothing of
//! keyroster has to work for them, and nothing of keyroster stands between when one is used: the rules hold where the files
//! are [written](files) and where they are [checked](check), and a use is told afterwards.

pub mod account;
pub mod args;
pub mod check;
pub mod drill;
pub mod fault;
pub mod files;
pub mod keys;
pub mod past_drills;
pub mod recording;
pub mod verbs;

use std::path::Path;

use serde::Deserialize;

/// Which keys may be break-glass keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accepted {
    /// Those whose private half lives in a security key: one that can't be copied from a laptop.
    #[default]
    Hardware,
    /// All that keyroster accepts.
    Any,
}

/// Where root's own state is, which the host agent can't enter.
pub const DEFAULT_STATE: &str = "/var/lib/keyroster";

/// Where the files are.
#[must_use]
pub fn default_dir() -> &'static Path {
    Path::new("/etc/keyroster/break-glass")
}
