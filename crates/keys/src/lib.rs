//! Names, key blobs, fingerprints and the grammar of authorized keys: pure, without clock, socket or file.
//!
//! Text from outside becomes one of these types at the door, and inner code takes only those. The grammar itself lives in
//! a crate of its own, without dependencies, because the program that sshd runs links it too; it is re-exported here as
//! [`mod@line`], so that everybody else has one place to look.

pub mod blob;
pub mod fingerprint;
pub mod fingerprints;
pub mod krl;
pub mod names;
pub mod pasted;
pub mod policy;

#[cfg(test)]
mod testing;

pub use blob::{BlobError, KeyBlob};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use fingerprints::{Fingerprints, FingerprintsError};
pub use keyroster_grammar as line;
pub use keyroster_grammar::{Algorithm, AuthorizedKey, KeyOptions, LineKey};
pub use krl::{KrlError, KrlHead};
pub use names::{AccountName, GroupName, HostName, NameError, UserName};
pub use pasted::{PastedKey, PastedKeyError, parse_public_key};
pub use policy::{KeyPolicy, PolicyViolation};
