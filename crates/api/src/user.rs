//! Users: persons and service identities that own keys.

use keyroster_roster::{Timestamp, User, UserKind};
use serde::{Deserialize, Serialize};

use crate::time;

pub use keyroster_roster::UserState;

/// A user as the key server tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserView {
    /// The user's name, its identity.
    pub name: String,
    /// `person` or `service`.
    pub kind: String,
    /// The owner of a service identity; null for a person.
    pub owner: Option<String>,
    /// `active`, `suspended` or `terminated`.
    pub state: String,
    /// When the user was added.
    #[serde(with = "time::required")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
}

/// `POST /v1/users`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddUser {
    /// 1 to 64 of `a-z 0-9 . _ @ -`, beginning with a letter or digit.
    pub name: String,
    /// Makes the user a service identity that this person answers for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// `PATCH /v1/users/{name}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    /// `active`, `suspended` or `terminated`; a terminated user stays so.
    pub state: String,
    /// Why, for the audit log; 512 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        let (kind, owner) = match &user.kind {
            UserKind::Person => ("person", None),
            UserKind::Service { owner } => ("service", Some(owner.to_string())),
        };
        Self {
            name: user.name.to_string(),
            kind: kind.to_owned(),
            owner,
            state: state_text(user.state).to_owned(),
            created_at: user.created_at,
        }
    }
}

/// The text of a state on the wire.
#[must_use]
pub fn state_text(state: UserState) -> &'static str {
    match state {
        UserState::Active => "active",
        UserState::Suspended => "suspended",
        UserState::Terminated => "terminated",
    }
}

/// The state that a text names.
#[must_use]
pub fn state_from_text(text: &str) -> Option<UserState> {
    [
        UserState::Active,
        UserState::Suspended,
        UserState::Terminated,
    ]
    .into_iter()
    .find(|state| state_text(*state) == text)
}
