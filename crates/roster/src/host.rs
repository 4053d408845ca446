use std::collections::BTreeSet;

use keyroster_keys::{GroupName, HostName};

use crate::{Freshness, FreshnessChange, HostId, Timestamp};

/// An enrolled machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The id that this enrolment got.
    pub id: HostId,
    /// Its name; at most one active host has it.
    pub name: HostName,
    /// The host groups that it is in.
    pub groups: BTreeSet<GroupName>,
    /// Whether it still belongs to the roster.
    pub state: HostState,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
}

/// Whether a host still belongs to the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostState {
    /// It does.
    Active,
    /// Nobody logs in through it any more.
    Removed,
}

/// A named set of hosts, with the rules that they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostGroup {
    /// The host group's id.
    pub name: GroupName,
    /// How stale an answer may be on its hosts.
    pub freshness: Freshness,
    /// Whether the sessions that were opened with a key end with the key.
    pub end_sessions: bool,
}

/// What is to be exchanged of a host group's rules; the rest stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostGroupChange {
    /// How stale an answer may be.
    pub freshness: FreshnessChange,
    /// Whether sessions end with their key.
    pub end_sessions: Option<bool>,
}

impl HostGroup {
    /// The same with some rules exchanged.
    #[must_use]
    pub fn changed(self, change: HostGroupChange) -> Self {
        Self {
            freshness: self.freshness.changed(change.freshness),
            end_sessions: change.end_sessions.unwrap_or(self.end_sessions),
            ..self
        }
    }
}

impl From<FreshnessChange> for HostGroupChange {
    fn from(freshness: FreshnessChange) -> Self {
        Self {
            freshness,
            end_sessions: None,
        }
    }
}

/// How a host comes to its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asks {
    /// A daemon holds the snapshot in memory and waits for changes.
    AsDaemon,
    /// There is no daemon: the key server is asked at each login.
    AtEachLogin,
}

impl Asks {
    /// The word for it, as stored and as spoken.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsDaemon => "daemon",
            Self::AtEachLogin => "each-login",
        }
    }
}
