//! Lines of `authorized_keys` and of principals, as sshd reads them, as a typed tree.

pub mod algorithm;
pub mod base64;

pub use algorithm::Algorithm;
