//! What a host reports about itself.

use keyroster_roster::Timestamp;
use serde::{Deserialize, Serialize};

use crate::time;

/// Most reports in one request.
pub const MAX_REPORTS: usize = 32;

/// `POST /v1/host/reports`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct HostReports {
    /// The reports: 1 to 32, in the order in which things happened.
    pub reports: Vec<HostReportBody>,
}

/// One report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct HostReportBody {
    /// A UUID that the host made. A report that comes again is known by it.
    pub id: String,
    /// `break-glass`: a break-glass key opened a session. `drill`: the same, to see whether it works.
    pub kind: String,
    /// The account.
    pub account: String,
    /// The key's fingerprint.
    pub fingerprint: String,
    /// When, by the host's clock.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
}

/// The answer: what is written, now or before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HostReportsTaken {
    /// One for each report of the request.
    pub reports: Vec<HostReportTaken>,
}

/// A report that is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HostReportTaken {
    /// Its id.
    pub id: String,
    /// The revision of its audit event: the same whenever the report is told.
    pub revision: u64,
}

/// The newest report of a kind, as a host is shown with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HostReportView {
    /// The account.
    pub account: String,
    /// The key's fingerprint.
    pub fingerprint: String,
    /// When, by the host's clock, which may be wrong.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// When the key server was told.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub received_at: Timestamp,
}
