use std::collections::BTreeMap;

use keyroster_keys::{Fingerprint, GroupName, HostName, UserName};

use crate::{Freshness, Grant, GrantId, Group, Host, HostGroup, HostId, HostState, Key, User};

/// Everything that decisions are made from: the whole roster, or the slice of it that concerns one host.
///
/// A slice decides like the whole if it has the host, its host groups, every grant on the host or on one of those, the
/// groups and users that these grants concern, the owners of the services among them, and all keys of those users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// Users by name.
    pub users: BTreeMap<UserName, User>,
    /// Keys by fingerprint.
    pub keys: BTreeMap<Fingerprint, Key>,
    /// Groups of users by name.
    pub groups: BTreeMap<GroupName, Group>,
    /// Hosts by id, removed ones included.
    pub hosts: BTreeMap<HostId, Host>,
    /// Host groups by name.
    pub host_groups: BTreeMap<GroupName, HostGroup>,
    /// Grants by id, and so in order of age; revoked ones may be left off.
    pub grants: BTreeMap<GrantId, Grant>,
}

impl Roster {
    /// The active host of that name.
    pub fn host_named(&self, name: &HostName) -> Option<&Host> {
        self.hosts
            .values()
            .find(|host| host.name == *name && host.state == HostState::Active)
    }

    /// How stale an answer may be on a host: the strictest of its host groups, or the default where it is in none.
    pub fn freshness_of(&self, host: &Host) -> Freshness {
        let groups = host
            .groups
            .iter()
            .filter_map(|name| self.host_groups.get(name));
        Freshness::strictest(groups.map(|group| group.freshness)).unwrap_or_default()
    }

    /// Whether a host ends the sessions that were opened with a key that is revoked: if one of its host groups says so.
    pub fn ends_sessions(&self, host: &Host) -> bool {
        host.groups
            .iter()
            .filter_map(|name| self.host_groups.get(name))
            .any(|group| group.end_sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::group_name;

    #[test]
    fn sessions_end_where_one_of_several_host_groups_says_so() {
        let mut roster = Roster::with_host();
        let mut host = roster.hosts.values().next().unwrap().clone();
        assert!(!roster.ends_sessions(&host));
        let mut ending = roster.host_groups[&group_name("web")].clone();
        (ending.name, ending.end_sessions) = (group_name("vault"), true);
        roster.host_groups.insert(ending.name.clone(), ending);
        assert!(!roster.ends_sessions(&host));
        host.groups.insert(group_name("vault"));
        assert!(roster.ends_sessions(&host));
    }
}
