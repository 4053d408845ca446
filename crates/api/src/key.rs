//! Keys: exactly one owner each; the id is the SHA256 fingerprint.

use keyroster_roster::{Key, KeyState, Timestamp};
use serde::{Deserialize, Serialize};

use crate::time;

/// A key as the key server tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyView {
    /// `SHA256:` and unpadded base64.
    pub fingerprint: String,
    /// The owner.
    pub user: String,
    /// The algorithm, for example `ssh-ed25519`.
    pub algorithm: String,
    /// The base64 body of the public key.
    pub blob: String,
    /// What the owner calls it.
    pub label: String,
    /// When it was added.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub added_at: Timestamp,
    /// When it ends by itself; null when it does not.
    #[serde(with = "time::optional", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub expires_at: Option<Timestamp>,
    /// `active` or `revoked`.
    pub state: String,
    /// When it was revoked; null while it is active.
    #[serde(with = "time::optional", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub revoked_at: Option<Timestamp>,
}

/// `POST /v1/users/{name}/keys`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddKey {
    /// One line as in a `.pub` file: type, base64, and perhaps a comment, which is kept as the label when none is given.
    pub public_key: String,
    /// What the owner calls it, 128 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it ends by itself.
    #[serde(
        default,
        with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub expires_at: Option<Timestamp>,
}

/// `POST /v1/keys/{fingerprint}/revoke` and the other revocations.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Why, for the audit log; 512 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<&Key> for KeyView {
    fn from(key: &Key) -> Self {
        let (state, revoked_at) = match key.state {
            KeyState::Active => ("active", None),
            KeyState::Revoked { at } => ("revoked", Some(at)),
        };
        Self {
            fingerprint: key.fingerprint.to_string(),
            user: key.user.to_string(),
            algorithm: key.blob.algorithm().to_string(),
            blob: key.blob.base64().to_owned(),
            label: key.label.to_string(),
            added_at: key.added_at,
            expires_at: key.expires_at,
            state: state.to_owned(),
            revoked_at,
        }
    }
}
