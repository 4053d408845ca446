//! How stale an answer may be, as bodies and snapshots carry it.

use keyroster_roster::{Freshness, FreshnessChange, FreshnessMode, ModelError};
use serde::{Deserialize, Serialize};

/// Bounds on staleness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FreshnessBody {
    /// Seconds for which a confirmed snapshot answers without asking again: 1 to 3600.
    pub max_staleness_s: u32,
    /// Seconds for which stale answers may serve while the key server is out of reach: 0 to 604800.
    pub grace_s: u32,
    /// `grace` or `strict`.
    pub mode: ModeText,
}

/// Bounds on staleness of which some are to be others; what is absent stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeFreshness {
    /// Seconds for which a confirmed snapshot answers without asking again: 1 to 3600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_staleness_s: Option<u32>,
    /// Seconds for which stale answers may serve while the key server is out of reach: 0 to 604800.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_s: Option<u32>,
    /// `grace` or `strict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ModeText>,
}

/// What happens past `max_staleness_s` when the key server is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ModeText {
    /// Answer from what is held until `grace_s`.
    Grace,
    /// No keys.
    Strict,
}

impl From<Freshness> for FreshnessBody {
    fn from(freshness: Freshness) -> Self {
        Self {
            max_staleness_s: freshness.max_staleness_s(),
            grace_s: freshness.grace_s(),
            mode: match freshness.mode() {
                FreshnessMode::Grace => ModeText::Grace,
                FreshnessMode::Strict => ModeText::Strict,
            },
        }
    }
}

impl TryFrom<FreshnessBody> for Freshness {
    type Error = ModelError;

    /// Refuses bounds that are out of range.
    fn try_from(body: FreshnessBody) -> Result<Self, ModelError> {
        Self::new(body.max_staleness_s, body.grace_s, body.mode.into())
    }
}

impl TryFrom<ChangeFreshness> for FreshnessChange {
    type Error = ModelError;

    /// Refuses bounds that are out of range.
    fn try_from(body: ChangeFreshness) -> Result<Self, ModelError> {
        Self::new(
            body.max_staleness_s,
            body.grace_s,
            body.mode.map(FreshnessMode::from),
        )
    }
}

impl From<ModeText> for FreshnessMode {
    fn from(mode: ModeText) -> Self {
        match mode {
            ModeText::Grace => Self::Grace,
            ModeText::Strict => Self::Strict,
        }
    }
}
