//! Bearer tokens of people and their programs: `krt_` and 256 random bits.

use keyroster_roster::Timestamp;
use serde::{Deserialize, Serialize};

use crate::time;

/// What every bearer token begins with.
pub const PREFIX: &str = "krt_";
/// Random bytes in a bearer token: 256 bits.
pub const SECRET_BYTES: usize = 32;
/// Length of a bearer token's text, in bytes: the prefix and unpadded base64url of the secret.
pub const TEXT_BYTES: usize = 47;

/// What a token's bearer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Suspend, terminate and revoke, and everything that an auditor may.
    Officer,
    /// Read everything, the audit log included.
    Auditor,
}

/// `GET /v1/whoami`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhoAmI {
    /// The token's name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// When it ends.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
}

/// `POST /v1/tokens`: makes a bearer token for somebody else.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddToken {
    /// A name for it, unique.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it ends.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
}

/// A bearer token as `GET /v1/tokens` lists it; the secret is never told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenView {
    /// Its name, unique.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// The name of the token that made it.
    pub created_by: String,
    /// When it was made.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When it ends.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
    /// When it was revoked; null while it is not.
    #[serde(with = "time::optional", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub revoked_at: Option<Timestamp>,
}
