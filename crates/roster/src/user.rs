use keyroster_keys::UserName;

use crate::Timestamp;

/// A person, or a service identity: whoever owns keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's id: names are never given out twice.
    pub name: UserName,
    /// What the user is.
    pub kind: UserKind,
    /// Whether the user's keys may let anyone in.
    pub state: UserState,
    /// When the user was added.
    pub created_at: Timestamp,
}

/// What a user is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserKind {
    /// A human being.
    Person,
    /// A program's identity.
    Service {
        /// The person who answers for it; its keys work only while that person is active.
        owner: UserName,
    },
}

/// Whether a user's keys may let anyone in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserState {
    /// They may.
    Active,
    /// Not until the user is resumed.
    Suspended,
    /// Never again.
    Terminated,
}

impl UserState {
    /// The word for it, as stored and as spoken.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Terminated => "terminated",
        }
    }
}
