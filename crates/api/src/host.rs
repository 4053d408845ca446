//! Hosts: machines that enrolled.

use keyroster_roster::{Host, HostState, Timestamp};
use serde::{Deserialize, Serialize};

use crate::time;

/// A host as the key server tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HostView {
    /// The host's id: a UUID, in its client certificate too.
    pub id: String,
    /// The host's name; unique among the hosts that are not removed.
    pub name: String,
    /// The host groups that it is in, sorted.
    pub groups: Vec<String>,
    /// `active` or `removed`.
    pub state: String,
    /// When it enrolled.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub enrolled_at: Timestamp,
}

impl From<&Host> for HostView {
    fn from(host: &Host) -> Self {
        Self {
            id: host.id.to_string(),
            name: host.name.to_string(),
            groups: host.groups.iter().map(ToString::to_string).collect(),
            state: match host.state {
                HostState::Active => "active",
                HostState::Removed => "removed",
            }
            .to_owned(),
            enrolled_at: host.enrolled_at,
        }
    }
}
