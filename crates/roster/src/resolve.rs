//! The decision: may this key log in to this account on this host at this moment, how, and why.

use keyroster_keys::{AccountName, Fingerprint, UserName};

use crate::case::Case;
use crate::line::Permit;
use crate::{DenyReason, Finding, Grant, Host, HostId, Roster, Subject, Target, Timestamp};

/// A decision and what it rests on.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// Whether the key may log in.
    pub decision: Decision,
    /// Why, in an order that a person can follow: what stands in the way, then the grants in order of age.
    pub reasons: Vec<Finding>,
}

/// Whether a key may log in.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may, on these terms.
    Allow(Box<Permit>),
    /// It may not; of several reasons this is the first.
    Deny(DenyReason),
}

/// Decides whether a key may log in to an account on a host at a moment.
///
/// The roster may be the whole one or the slice that concerns the host: see [`Roster`].
pub fn resolve(
    roster: &Roster,
    host: &HostId,
    account: &AccountName,
    key: &Fingerprint,
    now: Timestamp,
) -> Resolution {
    let unknown = |reason: DenyReason| Resolution {
        reasons: vec![Finding::Refused(reason.clone())],
        decision: Decision::Deny(reason),
    };
    let Some(host) = roster.hosts.get(host) else {
        return unknown(DenyReason::HostUnknown { host: host.clone() });
    };
    let Some(key) = roster.keys.get(key) else {
        return unknown(DenyReason::KeyUnknown { key: *key });
    };
    let Some(user) = roster.users.get(&key.user) else {
        return unknown(DenyReason::UserUnknown {
            user: key.user.clone(),
        });
    };
    let grants: Vec<&Grant> = roster
        .grants
        .values()
        .filter(|grant| {
            grant.account == *account && targets(grant, host) && concerns(roster, grant, &user.name)
        })
        .collect();
    let case = Case {
        roster,
        host,
        account,
        key,
        user,
        grants: &grants,
    };
    let decision = case.judge(now);
    Resolution {
        reasons: case.findings(now, &decision),
        decision,
    }
}

/// The account whose grants answer a request: uid 0 is `root` whatever its name. The name `root` with another uid stays
/// `root`, so that it is no way around the grants for `root`.
#[must_use]
pub fn effective_account(account: &AccountName, uid: u32) -> AccountName {
    if uid == 0 {
        AccountName::root()
    } else {
        account.clone()
    }
}

/// Whether a grant is for this host.
pub(crate) fn targets(grant: &Grant, host: &Host) -> bool {
    match &grant.target {
        Target::Host(id) => *id == host.id,
        Target::HostGroup(name) => host.groups.contains(name),
    }
}

/// Whether a grant is for this user.
fn concerns(roster: &Roster, grant: &Grant, user: &UserName) -> bool {
    match &grant.subject {
        Subject::User(name) => name == user,
        Subject::Group(name) => roster
            .groups
            .get(name)
            .is_some_and(|group| group.members.contains(user)),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
