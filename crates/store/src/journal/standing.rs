//! What stands according to a journal: what was taken away and not given back.
//!
//! Pure, and one-sided. What was taken away stands unless what gave it back comes later twice: in the file, and by the roster's
//! own count. The file alone would not do, since events of other key servers come in late; nor would the count, since a
//! database that was exchanged behind the key server's back counts some revisions twice. What gives back never does more
//! than undo what took away: a replay ends things, and begins none.

use std::collections::{BTreeMap, BTreeSet};

use keyroster_keys::{AccountName, Fingerprint, GroupName, HostName, UserName};
use keyroster_roster::{
    Actor, Effect, Epoch, Grant, GrantId, GrantOptions, GrantState, HostId, Reason, Revision,
    Subject, Target, Timestamp,
};
use serde_json::Value as Json;

use crate::action::Action;
use crate::journal::line::{Certainty, Entry};

/// Where in the roster's history something was written.
type Tag = (Epoch, Revision);

/// What stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Keys that were revoked.
    pub keys: BTreeSet<Fingerprint>,
    /// Users who were terminated.
    pub terminated: BTreeSet<UserName>,
    suspended: BTreeMap<UserName, Tag>,
    /// Who was put into groups and taken out of them.
    pub members: Memberships<UserName>,
    /// Which hosts were put into host groups and taken out of them.
    pub hosts: Memberships<HostId>,
    /// Grants that were revoked, or ended with a group.
    pub grants: BTreeSet<GrantId>,
    denials: BTreeMap<GrantId, (Tag, Grant)>,
    /// Hosts that were removed or locked.
    pub removed: BTreeSet<HostId>,
    /// Hosts that were enrolled.
    pub enrolled: BTreeMap<HostId, Enrolled>,
    /// Bearer tokens that were revoked.
    pub tokens: BTreeSet<Actor>,
}

/// Memberships of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Memberships<M> {
    words: BTreeMap<(GroupName, M), Words>,
    deleted: BTreeMap<GroupName, Tag>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Words {
    out: Option<Tag>,
    into: Option<Tag>,
}

/// What stands of one membership.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MembershipWord {
    /// Nothing was said, or nothing of it stands.
    Silent,
    /// It ended.
    Out,
    /// It began, which takes away where the group is denied something.
    Into,
    /// Both were said, and it is not known which was last.
    Either,
}

/// A host that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enrolled {
    pub name: HostName,
    pub host_group: GroupName,
    pub at: Timestamp,
}

/// Whether the lines of a journal are known to be whole and in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    Whole,
    /// Lines may be missing: what gives back does not count.
    Partial,
}

impl Standing {
    /// Takes the next entry of a journal. `None` if it makes no sense.
    pub fn take(&mut self, entry: &Entry, trust: Trust) -> Option<()> {
        let event = &entry.event;
        let detail: Json = serde_json::from_str(&event.detail).ok()?;
        let write = Write {
            tag: (entry.epoch, event.revision),
            gives_back: entry.certainty == Certainty::Done && trust == Trust::Whole,
            object: &event.object,
            detail: &detail,
        };
        match Action::parse(&event.action)? {
            Action::KeyRevoke => drop(self.keys.insert(Fingerprint::parse(write.object).ok()?)),
            Action::UserSetState => self.user(&write)?,
            Action::GroupAddMember => self.members.put_in(&write, write.named("user")?),
            Action::GroupRemoveMember => self.members.take_out(&write, write.named("user")?),
            Action::GroupDelete => {
                self.members.delete(&write)?;
                self.grants.extend(write.grants()?);
            }
            Action::HostGroupAddHost => self.hosts.put_in(&write, write.host("host")?),
            Action::HostGroupRemoveHost => self.hosts.take_out(&write, write.host("host")?),
            Action::HostGroupDelete => {
                self.hosts.delete(&write)?;
                self.grants.extend(write.grants()?);
            }
            Action::HostRemove | Action::HostLock => {
                self.removed.insert(HostId::parse(write.object).ok()?);
            }
            Action::HostEnrol => self.enrolment(&write, event.at)?,
            Action::GrantAdd => self.deny(&write, &event.actor, event.at)?,
            Action::GrantRevoke => self.grant(&write)?,
            Action::BearerTokenRevoke => drop(self.tokens.insert(Actor::parse(write.object).ok()?)),
            _ => {}
        }
        Some(())
    }

    /// Takes what stands according to another journal as well: what either says that was taken away stands.
    pub fn join(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.terminated.extend(other.terminated);
        self.suspended.extend(other.suspended);
        self.members.join(other.members);
        self.hosts.join(other.hosts);
        self.grants.extend(other.grants);
        self.denials.extend(other.denials);
        self.removed.extend(other.removed);
        self.enrolled.extend(other.enrolled);
        self.tokens.extend(other.tokens);
    }

    /// Users who are suspended.
    pub fn suspended(&self) -> impl Iterator<Item = &UserName> {
        self.suspended.keys()
    }

    /// Grants that deny.
    pub fn denials(&self) -> impl Iterator<Item = &Grant> {
        self.denials.values().map(|(_, grant)| grant)
    }

    fn user(&mut self, write: &Write<'_>) -> Option<()> {
        let name = UserName::parse(write.object).ok()?;
        match write.text("state")? {
            "terminated" => drop(self.terminated.insert(name)),
            "suspended" => drop(self.suspended.insert(name, write.tag)),
            "active"
                if self
                    .suspended
                    .get(&name)
                    .is_some_and(|tag| write.undoes(*tag)) =>
            {
                self.suspended.remove(&name);
            }
            "active" => {}
            _ => return None,
        }
        Some(())
    }

    fn grant(&mut self, write: &Write<'_>) -> Option<()> {
        let id = GrantId::parse(write.object).ok()?;
        if self
            .denials
            .get(&id)
            .is_some_and(|(tag, _)| write.undoes(*tag))
        {
            self.denials.remove(&id);
        }
        if write.text("effect") != Some(Effect::Deny.as_str()) {
            self.grants.insert(id);
        }
        Some(())
    }

    fn deny(&mut self, write: &Write<'_>, actor: &str, at: Timestamp) -> Option<()> {
        if write.text("effect")? != Effect::Deny.as_str() {
            return Some(());
        }
        let moment = |field| match write.text(field) {
            None => Some(None),
            Some(text) => Timestamp::parse(text).ok().map(Some),
        };
        let grant = Grant {
            id: GrantId::parse(write.object).ok()?,
            effect: Effect::Deny,
            subject: match write.text("user") {
                Some(name) => Subject::User(UserName::parse(name).ok()?),
                None => Subject::Group(GroupName::parse(write.text("group")?).ok()?),
            },
            account: AccountName::parse(write.text("account")?).ok()?,
            target: match write.text("host") {
                Some(id) => Target::Host(HostId::parse(id).ok()?),
                None => Target::HostGroup(GroupName::parse(write.text("host_group")?).ok()?),
            },
            options: GrantOptions::default(),
            from: None,
            not_before: moment("not_before")?,
            until: moment("until")?,
            reason: write
                .text("reason")
                .and_then(|reason| Reason::parse(reason).ok()),
            created_by: Actor::parse(actor).ok()?,
            created_at: at,
            state: GrantState::Active,
        };
        self.denials.insert(grant.id.clone(), (write.tag, grant));
        Some(())
    }

    fn enrolment(&mut self, write: &Write<'_>, at: Timestamp) -> Option<()> {
        let enrolled = Enrolled {
            name: HostName::parse(write.text("name")?).ok()?,
            host_group: GroupName::parse(write.text("host_group")?).ok()?,
            at,
        };
        self.enrolled
            .insert(HostId::parse(write.object).ok()?, enrolled);
        Some(())
    }
}

impl<M: Ord + Clone> Memberships<M> {
    /// What stands of a membership.
    pub fn word(&self, group: &GroupName, member: &M) -> MembershipWord {
        let words = self.words(&(group.clone(), member.clone()));
        match (words.out, words.into) {
            (None, None) => MembershipWord::Silent,
            (Some(_), None) => MembershipWord::Out,
            (None, Some(_)) => MembershipWord::Into,
            (Some(_), Some(_)) => MembershipWord::Either,
        }
    }

    /// Memberships of which it stands that they began.
    pub fn begun(&self) -> impl Iterator<Item = &(GroupName, M)> {
        let begun = self.words.iter().filter(|(_, words)| words.into.is_some());
        begun.map(|(membership, _)| membership)
    }

    fn put_in(&mut self, write: &Write<'_>, (group, member): (GroupName, M)) {
        let before = self.before(&group);
        let words = self.words.entry((group, member)).or_insert(before);
        words.into = words.into.max(Some(write.tag));
        words.out = words.out.filter(|tag| !write.undoes(*tag));
    }

    fn take_out(&mut self, write: &Write<'_>, (group, member): (GroupName, M)) {
        let before = self.before(&group);
        let words = self.words.entry((group, member)).or_insert(before);
        words.out = words.out.max(Some(write.tag));
        words.into = words.into.filter(|tag| !write.undoes(*tag));
    }

    /// The end of a group is the end of each membership, also of those that the journal does not know.
    fn delete(&mut self, write: &Write<'_>) -> Option<()> {
        let group = GroupName::parse(write.object).ok()?;
        for ((of, _), words) in &mut self.words {
            if *of == group {
                words.out = words.out.max(Some(write.tag));
            }
        }
        let deleted = self.deleted.entry(group).or_insert(write.tag);
        *deleted = (*deleted).max(write.tag);
        Some(())
    }

    /// What stands of a membership of which nothing was said by itself.
    fn before(&self, group: &GroupName) -> Words {
        Words {
            out: self.deleted.get(group).copied(),
            into: None,
        }
    }

    fn join(&mut self, other: Self) {
        let known = self.words.keys().chain(other.words.keys()).cloned();
        let known: BTreeSet<(GroupName, M)> = known.collect();
        for membership in known {
            let (own, others) = (self.words(&membership), other.words(&membership));
            let words = Words {
                out: own.out.max(others.out),
                into: own.into.max(others.into),
            };
            self.words.insert(membership, words);
        }
        for (group, tag) in other.deleted {
            let deleted = self.deleted.entry(group).or_insert(tag);
            *deleted = (*deleted).max(tag);
        }
    }

    fn words(&self, membership: &(GroupName, M)) -> Words {
        let words = self.words.get(membership).copied();
        words.unwrap_or_else(|| self.before(&membership.0))
    }
}

impl<M> Default for Memberships<M> {
    fn default() -> Self {
        Self {
            words: BTreeMap::new(),
            deleted: BTreeMap::new(),
        }
    }
}

/// An entry that is being taken.
struct Write<'a> {
    tag: Tag,
    /// Whether it counts as something that gives back.
    gives_back: bool,
    object: &'a str,
    detail: &'a Json,
}

impl Write<'_> {
    /// Whether it undoes what an earlier line with this tag did.
    fn undoes(&self, tag: Tag) -> bool {
        self.gives_back && self.tag > tag
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.detail.get(field).and_then(Json::as_str)
    }

    /// The group that it is about, and the user in it.
    fn named(&self, field: &str) -> Option<(GroupName, UserName)> {
        let member = UserName::parse(self.text(field)?).ok()?;
        Some((GroupName::parse(self.object).ok()?, member))
    }

    /// The host group that it is about, and the host in it.
    fn host(&self, field: &str) -> Option<(GroupName, HostId)> {
        let member = HostId::parse(self.text(field)?).ok()?;
        Some((GroupName::parse(self.object).ok()?, member))
    }

    /// The grants that ended with a group.
    fn grants(&self) -> Option<Vec<GrantId>> {
        let grants = self.detail.get("grants")?.as_array()?;
        let id = |grant: &Json| GrantId::parse(grant.as_str()?).ok();
        grants.iter().map(id).collect()
    }
}

#[cfg(test)]
mod tests;
