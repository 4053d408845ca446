//! What every write answers: the revision that it made.

use serde::{Deserialize, Serialize};

/// The answer to a write that makes no new object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Written {
    /// The revision of the roster from which the change holds.
    pub revision: u64,
}
