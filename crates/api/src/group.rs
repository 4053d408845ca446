//! Groups of users.

use keyroster_roster::Group;
use serde::{Deserialize, Serialize};

/// A group as the key server tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupView {
    /// The group's name, its identity.
    pub name: String,
    /// Its users, sorted.
    pub members: Vec<String>,
}

/// `POST /v1/groups`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddGroup {
    /// 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit.
    pub name: String,
}

impl From<&Group> for GroupView {
    fn from(group: &Group) -> Self {
        Self {
            name: group.name.to_string(),
            members: group.members.iter().map(ToString::to_string).collect(),
        }
    }
}
