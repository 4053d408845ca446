//! Why a step was not made.

use keyroster_api::signature::SignatureError;
use keyroster_edge::TlsError;
use keyroster_keys::HostName;
use keyroster_store::StoreError;
use thiserror::Error;

use crate::ca::CaError;
use crate::data_dir::FileError;
use crate::key_chain::ChainError;
use crate::random::RandomError;

/// Why a step was not made. Nothing was changed.
#[derive(Debug, Error)]
pub enum RotationError {
    /// A file can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The chain can't be used.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A key can't be used.
    #[error(transparent)]
    Key(#[from] SignatureError),
    /// A CA can't be made or used.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// A certificate can't be read.
    #[error("the CA's certificate can't be used: {0}")]
    Tls(#[from] TlsError),
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The exchange stands elsewhere.
    #[error("{0}")]
    Stage(&'static str),
    /// The signing key is in no set that hosts were told.
    #[error("the snapshot key is none that hosts were told of")]
    UnknownKey,
    /// The CA is in no set that hosts were told.
    #[error("the CA is none that hosts were told of")]
    UnknownCa,
    /// A secret is not in the data directory.
    #[error("\"{0}\" is not in the data directory")]
    HandedOver(&'static str),
    /// The chain has no room for one more exchange.
    #[error("snapshot-keys.json has no room for one more exchange")]
    Full,
    /// The chain was lost, or an older one was put in its place.
    #[error("\"{0}\" goes by a later set than snapshot-keys.json has")]
    Lost(HostName),
    /// Hosts do not know the new key or CA.
    #[error("{} not at the newest set of keys and CAs yet: {}", hosts(.0.len()), names(.0))]
    Behind(Vec<HostName>),
    /// Hosts would be shut out.
    #[error("{} with a certificate of the old CA still: {}", hosts(.0.len()), names(.0))]
    OfOldCa(Vec<HostName>),
}

fn hosts(count: usize) -> String {
    match count {
        1 => "1 host".to_owned(),
        count => format!("{count} hosts"),
    }
}

fn names(hosts: &[HostName]) -> String {
    let shown: Vec<_> = hosts.iter().take(MAX_NAMES).map(HostName::as_str).collect();
    let more = hosts.len() - shown.len();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Hosts that an error names.
const MAX_NAMES: usize = 20;
