use std::collections::BTreeSet;

use keyroster_keys::{GroupName, HostName};

use crate::{Freshness, HostId, Timestamp};

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
