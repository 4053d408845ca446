//! Fixtures for what keyroster lives beside: other providers of keys, and mandatory access control.

mod directory;
mod policy;

pub use directory::Directory;
pub use policy::Policy;
