//! The audit log: one event per change, chained by hash.

use keyroster_roster::Timestamp;
use serde::{Deserialize, Serialize};

use crate::time;

/// One event of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventView {
    /// Place in the chain, from 1, without holes.
    pub sequence: u64,
    /// The revision of the roster that the change made.
    pub revision: u64,
    /// When.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Who: the name of a token, `host:<id>`, or `system`.
    pub actor: String,
    /// What was done, for example `key.revoke`.
    pub action: String,
    /// To what, for example `SHA256:…`.
    pub object: String,
    /// More about the change, as canonical JSON text; never a secret.
    pub detail: String,
    /// SHA-256 of the event before, in hex; zeros for the first.
    pub previous_hash: String,
    /// SHA-256 of this event, in hex: how it is computed stands in `docs/audit-log.md`.
    pub hash: String,
}

/// `GET /v1/audit/head`: the end of the chain, for those who keep a witness of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditHead {
    /// The newest event's place in the chain; 0 when there is none.
    pub sequence: u64,
    /// Its hash, in hex.
    pub hash: String,
}
