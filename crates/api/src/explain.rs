//! `GET /v1/explain`: the decision for an account on a host, with its reasons.

use serde::{Deserialize, Serialize};

/// The query: exactly one of `user` and `key`, or neither for everybody who may log in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    /// The Unix account.
    pub account: String,
    /// The host's name or id.
    pub host: String,
    /// Only the keys of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only this key, by fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The Unix account.
    pub account: String,
    /// The host's name.
    pub host: String,
    /// The revision that was asked.
    pub revision: u64,
    /// One entry for each key that was asked about, by fingerprint.
    pub keys: Vec<KeyExplanation>,
    /// Reasons that concern no single key, for example that a user has none.
    pub notes: Vec<String>,
}

/// The decision for one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyExplanation {
    /// The key.
    pub fingerprint: String,
    /// Its owner; null when the roster does not know the key.
    pub user: Option<String>,
    /// `allow` or `deny`.
    pub decision: String,
    /// The line that sshd would get; null for a deny.
    pub line: Option<String>,
    /// Why, sentence by sentence.
    pub reasons: Vec<String>,
}
