//! What a host agent keeps on disk.
//!
//! One directory that only the host agent can write. Everything in it but the journal, which grows at its end, is written whole
//! (temporary file, fsync, rename, fsync of the directory). All of it is distrusted when it is read: no links, no pipes, nobody else's files, a size cap on each. A file
//! that can't be believed is as good as none, and having none is always safe: the answer is then "unavailable" until the
//! key server has been asked.

pub mod credential;
pub mod dir;
pub mod files;
pub mod journal;
pub mod memory;
pub mod recall;

pub use credential::Credential;
pub use dir::{StateDir, StateError};
