//! What a write answers: the revision that it made, and on request which hosts have confirmed it.

use keyroster_roster::Timestamp;
use serde::{Deserialize, Serialize};

use crate::time;

/// Seconds for which a receipt is waited for when the client does not say.
pub const DEFAULT_TIMEOUT_S: u32 = 30;
/// Seconds for which a receipt is waited for at least.
pub const MIN_TIMEOUT_S: u32 = 1;
/// Seconds for which a receipt is waited for at most.
pub const MAX_TIMEOUT_S: u32 = 120;

/// The answer to a write that makes no new object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Written {
    /// The revision of the roster from which the change holds.
    pub revision: u64,
}

/// The query of a write that can be waited for, or of the receipt of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    /// `confirmed`: answer with a receipt, once every host concerned has confirmed the change or the time is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub wait: Option<WaitFor>,
    /// Seconds to wait: 1 to 120, 30 when absent; only together with `wait`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// What a write waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum WaitFor {
    /// That every host from which the write took something away says that it holds the change.
    Confirmed,
}

/// Which hosts have confirmed a write that takes something away, and until when the others may let in whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// The revision of the roster from which the change holds.
    pub revision: u64,
    /// The hosts that hold the change on disk, quickest first.
    pub confirmed: Vec<ConfirmedHost>,
    /// The hosts that have not said so yet, in order of name.
    pub pending: Vec<PendingHost>,
    /// The hosts without the daemon that have not confirmed, in order of name. Each asks at every login: while it reaches a key
    /// server, none of them goes by what was before. Nobody waits for them.
    #[serde(default)]
    pub each_login: Vec<PendingHost>,
    /// Half of the confirmed hosts were as quick as this, in milliseconds; null when none confirmed.
    pub p50_ms: Option<u64>,
    /// 99 of 100 confirmed hosts were as quick as this, in milliseconds; null when none confirmed.
    pub p99_ms: Option<u64>,
    /// What the slowest confirmed host took, in milliseconds; null when none confirmed.
    pub max_ms: Option<u64>,
}

/// A host that holds a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfirmedHost {
    /// The host's id.
    pub host: String,
    /// The host's name.
    pub name: String,
    /// Milliseconds from the write until the key server heard that the host holds it; whole seconds, by the clocks of the key
    /// servers, when another one made the write or heard of it, or it was long ago.
    pub after_ms: u64,
    /// When a key server first heard that it does, by that server's clock; kept for a week after the write.
    #[serde(with = "time::optional", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub confirmed_at: Option<Timestamp>,
}

/// A host that may not hold a change yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PendingHost {
    /// The host's id.
    pub host: String,
    /// The host's name.
    pub name: String,
    /// When the host's own bound on staleness ends what was taken away, should it stay out of reach; null when it never
    /// confirmed anything, so that nothing is known.
    #[serde(with = "time::optional", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub ends_by: Option<Timestamp>,
}

impl Receipt {
    /// A receipt: sorts the hosts and computes the percentiles, by nearest rank.
    #[must_use]
    pub fn new(
        revision: u64,
        mut confirmed: Vec<ConfirmedHost>,
        mut pending: Vec<PendingHost>,
        mut each_login: Vec<PendingHost>,
    ) -> Self {
        confirmed.sort_by(|a, b| (a.after_ms, &a.name).cmp(&(b.after_ms, &b.name)));
        for hosts in [&mut pending, &mut each_login] {
            hosts.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let rank = |percent: usize| {
            let place = (confirmed.len() * percent).div_ceil(100).checked_sub(1)?;
            confirmed.get(place).map(|host| host.after_ms)
        };
        Self {
            revision,
            p50_ms: rank(50),
            p99_ms: rank(99),
            max_ms: rank(100),
            confirmed,
            pending,
            each_login,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirmed(count: u64) -> Vec<ConfirmedHost> {
        let host = |after_ms| ConfirmedHost {
            host: format!("id-{after_ms}"),
            name: format!("web-{after_ms}"),
            after_ms,
            confirmed_at: None,
        };
        (1..=count).rev().map(host).collect()
    }

    fn ranks(count: u64) -> [Option<u64>; 3] {
        let receipt = Receipt::new(7, confirmed(count), Vec::new(), Vec::new());
        [receipt.p50_ms, receipt.p99_ms, receipt.max_ms]
    }

    #[test]
    fn percentiles_are_those_of_hosts_that_were_measured() {
        assert_eq!(ranks(0), [None; 3]);
        assert_eq!(ranks(1), [Some(1); 3]);
        assert_eq!(ranks(2), [Some(1), Some(2), Some(2)]);
        assert_eq!(ranks(200), [Some(100), Some(198), Some(200)]);
    }

    #[test]
    fn an_end_that_is_not_known_is_null() {
        let pending = PendingHost {
            host: "id".to_owned(),
            name: "web-1".to_owned(),
            ends_by: None,
        };
        let json =
            serde_json::to_value(Receipt::new(7, Vec::new(), vec![pending], Vec::new())).unwrap();
        assert_eq!(json["pending"][0]["ends_by"], serde_json::Value::Null);
        assert_eq!(json["p50_ms"], serde_json::Value::Null);
    }
}
