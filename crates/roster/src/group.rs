use std::collections::BTreeSet;

use keyroster_keys::{GroupName, UserName};

/// A named set of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The group's id.
    pub name: GroupName,
    /// Who is in it.
    pub members: BTreeSet<UserName>,
}
