//! Hosts: machines that enrolled.

use keyroster_roster::{Asks, Host, HostState, Timestamp};
use serde::{Deserialize, Serialize};

use crate::host_report::HostReportView;
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
    /// `daemon`, or `each-login` where the host runs without one; null when it has not asked yet.
    #[serde(default)]
    pub asks: Option<String>,
    /// When a key server last answered it; null when it has not asked yet.
    #[serde(with = "time::optional", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub answered_at: Option<Timestamp>,
    /// The last use of a break-glass key that it told of.
    #[serde(default)]
    pub last_break_glass: Option<HostReportView>,
    /// The last trial of its break-glass way in that it told of.
    #[serde(default)]
    pub last_drill: Option<HostReportView>,
}

impl HostView {
    /// A host, with how it asked when it was last answered.
    #[must_use]
    pub fn new(host: &Host, answered: Option<(Asks, Timestamp)>) -> Self {
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
            asks: answered.map(|(asks, _)| asks.as_str().to_owned()),
            answered_at: answered.map(|(_, at)| at),
            last_break_glass: None,
            last_drill: None,
        }
    }
}
