//! Host groups: named sets of hosts, with the rules that hold there.

use serde::{Deserialize, Serialize};

use crate::freshness::{ChangeFreshness, FreshnessBody};

/// A host group as the key server tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HostGroupView {
    /// The host group's name, its identity.
    pub name: String,
    /// The names of its hosts, sorted.
    pub hosts: Vec<String>,
    /// How stale an answer may be on its hosts; of several host groups the strictest wins.
    pub freshness: FreshnessBody,
    /// Whether sessions that were opened with a key are ended when the key is revoked; on a host that is in several host
    /// groups if one says so.
    pub end_sessions: bool,
}

/// `POST /v1/host-groups`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddHostGroup {
    /// 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit.
    pub name: String,
    /// Bounds on staleness; 30 s, 3600 s, `grace` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness: Option<FreshnessBody>,
    /// Whether to end the sessions that were opened with a key when the key is revoked; not when absent.
    #[serde(default)]
    pub end_sessions: bool,
}

/// `PATCH /v1/host-groups/{name}`. At least one part of it is wanted; what is absent stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeHostGroup {
    /// Bounds on staleness.
    #[serde(default)]
    pub freshness: ChangeFreshness,
    /// Whether to end the sessions that were opened with a key when the key is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_sessions: Option<bool>,
}
