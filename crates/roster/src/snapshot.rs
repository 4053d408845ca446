//! Everything that one host may answer, from a moment on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use keyroster_keys::{AccountName, Fingerprint, KeyBlob, UserName};

use crate::case::Case;
use crate::resolve::{Decision, targets};
use crate::{Effect, Grant, Host, HostId, Key, Roster, Subject, Timestamp};

/// An account and the keys that may log in to it at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEntry {
    /// The account.
    pub account: AccountName,
    /// Its keys, in order of fingerprint.
    pub keys: Vec<KeyEntry>,
}

/// A key and the times at which it may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// The key's id.
    pub fingerprint: Fingerprint,
    /// The key.
    pub blob: KeyBlob,
    /// When it may log in and with which line: in order of time, without overlap; a gap is an authoritative no.
    pub segments: Vec<Segment>,
}

/// A span of time through which one line is the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it; `None` if no end is known.
    pub until: Option<Timestamp>,
    /// The line that sshd gets.
    pub line: String,
}

impl Segment {
    /// Whether the line is the answer at a moment.
    pub fn covers(&self, moment: Timestamp) -> bool {
        self.from <= moment && self.until.is_none_or(|until| moment < until)
    }
}

/// What [`crate::resolve`] answers on a host at `now` and at every later moment, as long as the roster stays as it is.
///
/// Accounts come in order of name. A key that may never log in has no entry, and neither has an account without keys. The
/// cost is that of the host's own grants and the users whom they concern: no other key is looked at.
pub fn snapshot_entries(roster: &Roster, host: &HostId, now: Timestamp) -> Vec<AccountEntry> {
    snapshot_entries_from(roster, host, |_| now)
}

/// The same, for each account from a moment of its own on.
pub fn snapshot_entries_from(
    roster: &Roster,
    host: &HostId,
    begin: impl Fn(&AccountName) -> Timestamp,
) -> Vec<AccountEntry> {
    let Some(host) = roster.hosts.get(host) else {
        return Vec::new();
    };
    let mut by_account: BTreeMap<&AccountName, Vec<&Grant>> = BTreeMap::new();
    for grant in roster
        .grants
        .values()
        .filter(|grant| grant.may_still_hold(begin(&grant.account)) && targets(grant, host))
    {
        by_account.entry(&grant.account).or_default().push(grant);
    }
    let keys_of = keys_by_user(roster);
    let entry = |(account, grants): (&AccountName, Vec<&Grant>)| {
        let view = View {
            roster,
            host,
            now: begin(account),
            keys_of: &keys_of,
        };
        AccountEntry {
            account: account.clone(),
            keys: view.keys_at(account, &grants),
        }
    };
    by_account
        .into_iter()
        .map(entry)
        .filter(|entry| !entry.keys.is_empty())
        .collect()
}

/// One host from one moment on, with the keys of each user at hand.
struct View<'a> {
    roster: &'a Roster,
    host: &'a Host,
    now: Timestamp,
    keys_of: &'a HashMap<&'a UserName, Vec<&'a Key>>,
}

impl<'a> View<'a> {
    /// The keys that may log in to an account, given the grants for it on this host.
    fn keys_at(&self, account: &AccountName, grants: &[&'a Grant]) -> Vec<KeyEntry> {
        let mut entries: Vec<KeyEntry> = grants_by_user(self.roster, grants)
            .into_iter()
            .filter(|(_, grants)| grants.iter().any(|grant| grant.effect == Effect::Allow))
            .flat_map(|(user, grants)| self.keys_of_user(account, user, &grants))
            .collect();
        entries.sort_unstable_by_key(|entry| entry.fingerprint);
        entries
    }

    fn keys_of_user(
        &self,
        account: &AccountName,
        user: &UserName,
        grants: &[&Grant],
    ) -> Vec<KeyEntry> {
        let Some(user) = self.roster.users.get(user) else {
            return Vec::new();
        };
        let keys = self.keys_of.get(&user.name).map_or(&[][..], Vec::as_slice);
        keys.iter()
            .map(|key| KeyEntry {
                fingerprint: key.fingerprint,
                blob: key.blob.clone(),
                segments: self.segments(&Case {
                    roster: self.roster,
                    host: self.host,
                    account,
                    key,
                    user,
                    grants,
                }),
            })
            .filter(|entry| !entry.segments.is_empty())
            .collect()
    }

    /// Asks at every moment at which the answer may change, and joins what stays the same.
    fn segments(&self, case: &Case<'_>) -> Vec<Segment> {
        let starts: BTreeSet<Timestamp> = case.changes_after(self.now).chain([self.now]).collect();
        let ends = starts.iter().skip(1).copied().map(Some).chain([None]);
        let mut segments: Vec<Segment> = Vec::new();
        for (from, until) in starts.iter().copied().zip(ends) {
            let Decision::Allow(permit) = case.judge(from) else {
                continue;
            };
            match segments.last_mut() {
                Some(last) if last.until == Some(from) && last.line == permit.text() => {
                    last.until = until
                }
                _ => segments.push(Segment {
                    from,
                    until,
                    line: permit.text().to_owned(),
                }),
            }
        }
        segments
    }
}

/// The grants that concern each user, in order of id as they came.
fn grants_by_user<'a>(
    roster: &'a Roster,
    grants: &[&'a Grant],
) -> BTreeMap<&'a UserName, Vec<&'a Grant>> {
    let mut by_user: BTreeMap<&UserName, Vec<&Grant>> = BTreeMap::new();
    for grant in grants {
        match &grant.subject {
            Subject::User(user) => by_user.entry(user).or_default().push(grant),
            Subject::Group(name) => {
                for user in roster
                    .groups
                    .get(name)
                    .into_iter()
                    .flat_map(|group| &group.members)
                {
                    by_user.entry(user).or_default().push(grant);
                }
            }
        }
    }
    by_user
}

fn keys_by_user(roster: &Roster) -> HashMap<&UserName, Vec<&Key>> {
    let mut keys_of: HashMap<&UserName, Vec<&Key>> = HashMap::new();
    for key in roster.keys.values() {
        keys_of.entry(&key.user).or_default().push(key);
    }
    keys_of
}

#[cfg(test)]
mod tests;
