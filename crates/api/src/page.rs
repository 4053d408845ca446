//! Lists are paged by cursor, so that a page costs the same at the start and at the end of a long list.

use serde::{Deserialize, Serialize};

/// Items on a page when the client does not say.
pub const DEFAULT_LIMIT: u32 = 100;
/// Items on a page at most.
pub const MAX_LIMIT: u32 = 1000;
/// The longest cursor that is read, in bytes.
pub const MAX_CURSOR: usize = 512;

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// The query of every list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Items on the page: 1 to 1000, 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
