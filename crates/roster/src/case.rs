//! One question with everything that it depends on, whatever the moment.
//!
//! Both ways to ask, one key now and a whole host from now on, gather a [`Case`] and let it judge, so that they can't
//! come to differ.

use keyroster_keys::AccountName;

use crate::line::{self, Permit};
use crate::merge::{Part, merge};
use crate::resolve::Decision;
use crate::{
    DenyReason, Effect, Finding, Grant, Host, HostState, Key, KeyState, Roster, Timestamp, User,
    UserKind, UserState,
};

/// A key at an account of a host.
pub(crate) struct Case<'a> {
    pub(crate) roster: &'a Roster,
    pub(crate) host: &'a Host,
    pub(crate) account: &'a AccountName,
    pub(crate) key: &'a Key,
    pub(crate) user: &'a User,
    /// Every grant that concerns the user, the account and the host, in order of id.
    pub(crate) grants: &'a [&'a Grant],
}

impl Case<'_> {
    /// Decides for a moment.
    pub(crate) fn judge(&self, now: Timestamp) -> Decision {
        if let Some(reason) = self.obstacles(now).next() {
            return Decision::Deny(reason);
        }
        let holding = |effect| {
            self.grants
                .iter()
                .filter(move |grant| grant.effect == effect && grant.holds(now))
        };
        if let Some(denial) = holding(Effect::Deny).next() {
            return Decision::Deny(DenyReason::GrantDenies {
                grant: denial.id.clone(),
            });
        }
        let allowing: Vec<&Grant> = holding(Effect::Allow).copied().collect();
        let parts: Vec<Part<'_>> = allowing.iter().map(|grant| Part::from(*grant)).collect();
        let (Some(oldest), Some((first, rest))) = (allowing.first(), parts.split_first()) else {
            return Decision::Deny(DenyReason::NoGrant {
                user: self.user.name.clone(),
                account: self.account.clone(),
                host: self.host.name.clone(),
            });
        };
        match merge(*first, rest) {
            Err(conflict) => Decision::Deny(DenyReason::GrantsConflict { conflict }),
            Ok(terms) => match line::write(&self.key.blob, &self.user.name, &oldest.id, &terms) {
                Err(reason) => Decision::Deny(reason),
                Ok(line) => Decision::Allow(Box::new(Permit {
                    line,
                    terms,
                    grants: allowing.iter().map(|grant| grant.id.clone()).collect(),
                    valid_until: self.changes_after(now).min(),
                })),
            },
        }
    }

    /// Everything that a decision for a moment rests on: what stands in the way, then the grants in order of age.
    pub(crate) fn findings(&self, now: Timestamp, decision: &Decision) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.obstacles(now).map(Finding::Refused).collect();
        findings.extend(
            self.grants
                .iter()
                .map(|grant| Finding::of(grant, self.host, now)),
        );
        match decision {
            Decision::Allow(permit) if permit.grants.len() > 1 => {
                findings.push(Finding::Merged {
                    grants: permit.grants.len(),
                });
            }
            Decision::Allow(_) | Decision::Deny(DenyReason::GrantDenies { .. }) => {}
            Decision::Deny(reason) => {
                let reason = Finding::Refused(reason.clone());
                if !findings.contains(&reason) {
                    findings.push(reason);
                }
            }
        }
        findings
    }

    /// The moments after `now` at which the decision may change, in no order: where a grant begins or ends, and where the
    /// key expires.
    pub(crate) fn changes_after(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let alive = self
            .grants
            .iter()
            .filter(move |grant| grant.may_still_hold(now));
        alive
            .flat_map(|grant| [grant.not_before, grant.until])
            .chain([self.key.expires_at])
            .flatten()
            .filter(move |moment| *moment > now)
    }

    /// What refuses the key whatever the grants say.
    fn obstacles(&self, now: Timestamp) -> impl Iterator<Item = DenyReason> {
        let removed = (self.host.state == HostState::Removed).then(|| DenyReason::HostRemoved {
            host: self.host.name.clone(),
        });
        let suspended = (self.user.state != UserState::Active).then(|| DenyReason::UserNotActive {
            user: self.user.name.clone(),
            state: self.user.state,
        });
        let key = self.key.fingerprint;
        let revoked = match self.key.state {
            KeyState::Active => None,
            KeyState::Revoked { at } => Some(DenyReason::KeyRevoked { key, at }),
        };
        let expired = self
            .key
            .expires_at
            .filter(|at| *at <= now)
            .map(|at| DenyReason::KeyExpired { key, at });
        [removed, suspended, self.owner_obstacle(), revoked, expired]
            .into_iter()
            .flatten()
    }

    /// A service's keys work only while an active person answers for them.
    fn owner_obstacle(&self) -> Option<DenyReason> {
        let UserKind::Service { owner } = &self.user.kind else {
            return None;
        };
        let user = self.user.name.clone();
        match self.roster.users.get(owner) {
            Some(User {
                kind: UserKind::Person,
                state: UserState::Active,
                ..
            }) => None,
            Some(User {
                kind: UserKind::Person,
                state,
                ..
            }) => Some(DenyReason::OwnerNotActive {
                user,
                owner: owner.clone(),
                state: *state,
            }),
            _ => Some(DenyReason::OwnerNotPerson {
                user,
                owner: owner.clone(),
            }),
        }
    }
}
