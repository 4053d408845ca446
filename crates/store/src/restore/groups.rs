//! Memberships, of users in groups and of hosts in host groups.
//!
//! A group lets its members in by grants that allow, and keeps them out by grants that deny. So neither to leave a group nor
//! to join one is always the safe side; the group's grants decide.

use keyroster_keys::{GroupName, UserName};
use keyroster_roster::{Effect, Grant, GrantState, HostId, HostState, UserState};
use serde_json::json;

use crate::StoreError;
use crate::action::Action;
use crate::error::Object;
use crate::grants::GrantsOf;
use crate::journal::{MembershipWord, Memberships};
use crate::page::Limit;
use crate::restore::replay::{REASON, Replay};

/// What to do about a membership that is there, or is not.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Keep,
    End,
    Begin,
}

/// How a membership is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    In,
    Out,
}

/// What the grants for or on a group do.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GroupGrants {
    /// They let in, or there are none.
    AllowOnly,
    /// They keep out.
    DenyOnly,
    /// They do both.
    Both,
}

impl Replay<'_> {
    pub(super) async fn members(&mut self, said: &Memberships<UserName>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.tx.read.groups(after.as_ref(), Limit::MAX).await?;
            for group in page.items {
                for user in &group.members {
                    self.member(&group.name, user, (said.word(&group.name, user), Now::In))
                        .await?;
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for (group, user) in said.begun() {
            let known = self.tx.read.group(group).await?;
            let owner = self.tx.read.user(user).await?;
            let can = owner.is_some_and(|user| user.state != UserState::Terminated);
            if can && known.is_some_and(|known| !known.members.contains(user)) {
                self.member(group, user, (said.word(group, user), Now::Out))
                    .await?;
            }
        }
        Ok(())
    }

    pub(super) async fn hosts_of_groups(
        &mut self,
        said: &Memberships<HostId>,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.tx.read.hosts(after.as_ref(), Limit::MAX).await?;
            for host in page
                .items
                .iter()
                .filter(|host| host.state == HostState::Active)
            {
                for group in &host.groups {
                    self.host_of_group(group, &host.id, (said.word(group, &host.id), Now::In))
                        .await?;
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for (group, id) in said.begun() {
            let known = self.tx.read.host_group(group).await?;
            let host = self.tx.read.host(id).await?;
            let can = host.is_some_and(|host| {
                host.state == HostState::Active && !host.groups.contains(group)
            });
            if can && known.is_some() {
                self.host_of_group(group, id, (said.word(group, id), Now::Out))
                    .await?;
            }
        }
        Ok(())
    }

    async fn member(
        &mut self,
        group: &GroupName,
        user: &UserName,
        (word, now): (MembershipWord, Now),
    ) -> Result<(), StoreError> {
        if word == MembershipWord::Silent {
            return Ok(());
        }
        let grants = self.tx.read.grants_of(&GrantsOf::Group(group)).await?;
        let action = match change(word, now, do_what(&grants)) {
            Change::Keep => return Ok(()),
            Change::End => {
                self.next().await?;
                self.tx.remove_member_row(group, user).await?;
                Action::GroupRemoveMember
            }
            Change::Begin => {
                self.next().await?;
                self.tx.add_member_row(group, user).await?;
                Action::GroupAddMember
            }
        };
        let what = (action, Object::Group(group.clone()));
        let detail = json!({ "reason": REASON, "user": user.as_str() });
        self.redone(what, &detail, user.to_string()).await
    }

    async fn host_of_group(
        &mut self,
        group: &GroupName,
        host: &HostId,
        (word, now): (MembershipWord, Now),
    ) -> Result<(), StoreError> {
        if word == MembershipWord::Silent {
            return Ok(());
        }
        let grants = self.tx.read.grants_of(&GrantsOf::HostGroup(group)).await?;
        let action = match change(word, now, do_what(&grants)) {
            Change::Keep => return Ok(()),
            Change::End => {
                self.next().await?;
                self.tx.keep_freshness_of_host(host).await?;
                self.tx.remove_from_host_group(group, host).await?;
                Action::HostGroupRemoveHost
            }
            Change::Begin => {
                self.next().await?;
                self.tx.keep_freshness_of_host(host).await?;
                self.tx.add_to_host_group(group, host).await?;
                Action::HostGroupAddHost
            }
        };
        let what = (action, Object::HostGroup(group.clone()));
        let detail = json!({ "host": host.as_str(), "reason": REASON });
        self.redone(what, &detail, host.to_string()).await
    }
}

/// What is safe about a membership. Where a group does both, what was said of it last is done; where that is not known, it is
/// held to what it denies, since a denial wins over every allowance.
const fn change(word: MembershipWord, now: Now, grants: GroupGrants) -> Change {
    match (word, now, grants) {
        (MembershipWord::Out, Now::In, GroupGrants::AllowOnly | GroupGrants::Both)
        | (MembershipWord::Either, Now::In, GroupGrants::AllowOnly) => Change::End,
        (
            MembershipWord::Into | MembershipWord::Either,
            Now::Out,
            GroupGrants::DenyOnly | GroupGrants::Both,
        ) => Change::Begin,
        _ => Change::Keep,
    }
}

fn do_what(grants: &[Grant]) -> GroupGrants {
    let does = |effect| {
        let mut active = grants
            .iter()
            .filter(|grant| grant.state == GrantState::Active);
        active.any(|grant| grant.effect == effect)
    };
    match (does(Effect::Allow), does(Effect::Deny)) {
        (_, false) => GroupGrants::AllowOnly,
        (false, true) => GroupGrants::DenyOnly,
        (true, true) => GroupGrants::Both,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_ends_where_it_lets_in_and_begins_where_it_keeps_out() {
        use GroupGrants::{AllowOnly, Both, DenyOnly};
        use MembershipWord::{Either, Into, Silent};
        let out = MembershipWord::Out;
        for (word, now, grants, wanted) in [
            (out, Now::In, AllowOnly, Change::End),
            (out, Now::In, Both, Change::End),
            (out, Now::In, DenyOnly, Change::Keep),
            (Either, Now::In, AllowOnly, Change::End),
            (Either, Now::In, Both, Change::Keep),
            (Into, Now::Out, AllowOnly, Change::Keep),
            (Into, Now::Out, DenyOnly, Change::Begin),
            (Either, Now::Out, Both, Change::Begin),
            (out, Now::Out, DenyOnly, Change::Keep),
            (Silent, Now::In, AllowOnly, Change::Keep),
            (Silent, Now::Out, DenyOnly, Change::Keep),
        ] {
            assert_eq!(
                change(word, now, grants),
                wanted,
                "{word:?} {now:?} {grants:?}"
            );
        }
    }
}
