//! Why a fixture could not be made.
//!
//! One shape for all: a test does nothing with it but show it, so there are no variants to match on.

use std::io;
use std::path::Path;

/// What every fixture returns.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// What was tried, on which object, and what came of it.
#[derive(thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// A failure with this message: lower case, naming the object.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// An operation on a path that the system refused.
    pub fn io(action: &str, path: &Path, error: &io::Error) -> Self {
        Self(format!("cannot {action} \"{}\": {error}", path.display()))
    }
}

/// `unwrap` prints `Debug`: the plain message, with its line breaks, is what a person wants to read there.
impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
