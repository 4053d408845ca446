//! What the hosts of a class answer, ready to be told as a whole or from any earlier revision on.
//!
//! Pure: what was read and rendered goes in, what is to be told comes out. Accounts that are gone stay, without a body, so that
//! whoever holds them can be told.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use keyroster_api::digest::{Leaf, Tree};
use keyroster_api::freshness::FreshnessBody;
use keyroster_api::snapshot::{Account, Tag};
use keyroster_keys::AccountName;
use keyroster_roster::Revision;

use crate::error::ApiError;

/// The answers of a class at one state of the roster.
#[derive(Debug)]
pub struct Content {
    /// The state.
    pub at: Tag,
    /// Hash of the newest audit event then, in hex; empty while there is none.
    pub audit_head: String,
    /// What hosts are told beside their accounts.
    pub settings: Settings,
    accounts: BTreeMap<AccountName, Entry>,
    /// The same by when they changed.
    by_revision: BTreeMap<Revision, BTreeSet<AccountName>>,
    tree: Tree,
    digest: String,
    bytes: usize,
}

/// What was read at a state of the roster, of the accounts that changed since the state before.
#[derive(Debug)]
pub struct Step {
    /// The state.
    pub at: Tag,
    /// Hash of the newest audit event then, in hex.
    pub audit_head: String,
    /// What hosts are told beside their accounts.
    pub settings: Settings,
    /// The accounts, each with the newest revision that concerned it, and as it is now.
    pub accounts: Vec<(AccountName, Revision, Option<Account>)>,
}

/// What comes from the settings of host groups.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How stale an answer may be.
    pub freshness: FreshnessBody,
    /// Whether sessions end when their key is revoked.
    pub end_sessions: bool,
    /// The newest revision that may have changed any of it.
    pub since: Revision,
}

#[derive(Debug)]
struct Entry {
    /// Its JSON; `None` when nobody may log in.
    body: Option<Box<[u8]>>,
    /// The newest revision that concerned it.
    since: Revision,
    /// A span of revisions before that, at which it was the same.
    same: Option<(Revision, Revision)>,
}

/// An account that changed, and its JSON; `None` when nobody may log in any more.
pub type Changed<'a> = (&'a AccountName, Option<&'a [u8]>);

impl Content {
    /// The first look at it, at all accounts that ever changed.
    ///
    /// # Errors
    /// When an account has no JSON form.
    pub fn new(step: Step) -> Result<Self, ApiError> {
        let mut content = Self {
            at: step.at,
            audit_head: String::new(),
            settings: step.settings,
            accounts: BTreeMap::new(),
            by_revision: BTreeMap::new(),
            tree: Tree::default(),
            digest: String::new(),
            bytes: 0,
        };
        content.forward(step)?;
        Ok(content)
    }

    /// Brings it to a later state.
    ///
    /// # Errors
    /// When an account has no JSON form; it must not be used any more then.
    pub fn forward(&mut self, step: Step) -> Result<(), ApiError> {
        for (name, revision, account) in step.accounts {
            self.put(name, revision, account)?;
        }
        self.at = step.at;
        self.audit_head = step.audit_head;
        self.settings = step.settings;
        self.digest = self.tree.root().to_string();
        Ok(())
    }

    /// The digest of all accounts, in hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What changed after a revision; `None` when nothing did.
    #[must_use]
    pub fn changed_after(&self, from: Revision) -> Option<Vec<Changed<'_>>> {
        let mut changed: Vec<Changed<'_>> = self
            .names_after(from)
            .filter_map(|name| Some((name, self.accounts.get(name)?)))
            .filter(|(_, entry)| !entry.was_the_same_at(from))
            .map(|(name, entry)| (name, entry.body.as_deref()))
            .collect();
        changed.sort_unstable_by_key(|(name, _)| *name);
        (!changed.is_empty() || self.settings.since > from).then_some(changed)
    }

    /// How many accounts writes after a revision concerned.
    #[must_use]
    pub fn count_after(&self, from: Revision) -> usize {
        self.names_after(from).count()
    }

    /// All accounts into which anybody may log in, by name.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.accounts
            .values()
            .filter_map(|entry| entry.body.as_deref())
    }

    /// How much all of that is.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.bytes + self.accounts.len() * ENTRY_BYTES
    }
}

impl Content {
    fn names_after(&self, from: Revision) -> impl Iterator<Item = &AccountName> {
        let after = (Bound::Excluded(from), Bound::Unbounded);
        self.by_revision.range(after).flat_map(|(_, names)| names)
    }

    fn put(
        &mut self,
        name: AccountName,
        since: Revision,
        account: Option<Account>,
    ) -> Result<(), ApiError> {
        let account = account.as_ref();
        let body = account.map(to_json).transpose()?;
        let old = self.accounts.remove(&name);
        let unchanged = old.as_ref().filter(|old| old.body == body);
        let same = unchanged.map(|old| (old.since, self.at.revision));
        if let Some(old) = &old {
            self.forget(&name, old);
        }
        if same.is_none() {
            self.tree.set(name.as_str(), account.map(Leaf::of));
        }
        self.bytes += body.as_ref().map_or(0, |body| body.len());
        self.by_revision
            .entry(since)
            .or_default()
            .insert(name.clone());
        self.accounts.insert(name, Entry { body, since, same });
        Ok(())
    }

    fn forget(&mut self, name: &AccountName, old: &Entry) {
        self.bytes -= old.body.as_ref().map_or(0, |body| body.len());
        if let Some(names) = self.by_revision.get_mut(&old.since) {
            names.remove(name);
            if names.is_empty() {
                self.by_revision.remove(&old.since);
            }
        }
    }
}

impl Entry {
    /// Whether it was as it is now at a revision before the newest that concerned it. Unknown counts as no.
    fn was_the_same_at(&self, revision: Revision) -> bool {
        self.same
            .is_some_and(|(first, last)| (first..=last).contains(&revision))
    }
}

fn to_json(account: &Account) -> Result<Box<[u8]>, ApiError> {
    serde_json::to_vec(account)
        .map(Vec::into_boxed_slice)
        .map_err(|_| ApiError::Bug("an account has no JSON form"))
}

/// What an account takes beside its JSON: its names, its places in the maps and in the hash tree.
const ENTRY_BYTES: usize = 400;

#[cfg(test)]
mod tests {
    use keyroster_api::snapshot::{AccountKey, Segment};
    use keyroster_roster::{Epoch, Freshness};

    use super::*;

    fn revision(number: u64) -> Revision {
        Revision::new(number).unwrap()
    }

    fn account(name: &str, comment: &str) -> Account {
        let segment = Segment {
            from: 0,
            until: None,
            options: "restrict".to_owned(),
            comment: comment.to_owned(),
        };
        Account {
            name: name.to_owned(),
            keys: vec![AccountKey {
                algorithm: "ssh-ed25519".to_owned(),
                blob: "AAAA".to_owned(),
                segments: vec![segment],
            }],
        }
    }

    /// A step to a state, with the accounts that changed: name, revision, and comment if it is still there.
    fn step(at: u64, settings: u64, accounts: &[(&str, u64, Option<&str>)]) -> Step {
        let accounts = accounts.iter().map(|(name, since, comment)| {
            let account = comment.map(|comment| account(name, comment));
            (AccountName::parse(name).unwrap(), revision(*since), account)
        });
        Step {
            at: Tag {
                epoch: Epoch::new(1).unwrap(),
                revision: revision(at),
            },
            audit_head: String::new(),
            settings: Settings {
                freshness: FreshnessBody::from(Freshness::default()),
                end_sessions: false,
                since: revision(settings),
            },
            accounts: accounts.collect(),
        }
    }

    fn names(content: &Content, from: u64) -> Option<Vec<&str>> {
        let changed = content.changed_after(revision(from))?;
        Some(changed.iter().map(|(name, _)| name.as_str()).collect())
    }

    #[test]
    fn what_changed_is_told_from_each_revision_on_and_what_is_gone_too() {
        let first = step(40, 0, &[("app", 30, Some("a")), ("db", 20, Some("b"))]);
        let mut content = Content::new(first).unwrap();
        content.forward(step(50, 0, &[("db", 45, None)])).unwrap();
        assert_eq!(names(&content, 50), None);
        assert_eq!(names(&content, 44), Some(vec!["db"]));
        assert_eq!(names(&content, 29), Some(vec!["app", "db"]));
        assert_eq!(content.changed_after(revision(44)).unwrap()[0].1, None);
        assert_eq!(content.all().count(), 1);
        let whole = Tree::of([&account("app", "a")]).root().to_string();
        assert_eq!(content.digest(), whole);
    }

    #[test]
    fn an_account_that_is_as_before_is_no_change_from_where_that_was_seen_and_from_nowhere_else() {
        let mut content = Content::new(step(40, 0, &[("app", 30, Some("a"))])).unwrap();
        content
            .forward(step(50, 0, &[("app", 45, Some("a"))]))
            .unwrap();
        for seen in [30, 35, 40, 45, 50] {
            assert_eq!(names(&content, seen), None, "{seen}");
        }
        // It may have been another one between two looks, and a host may have been told so by another server.
        for unseen in [29, 41, 44] {
            assert_eq!(names(&content, unseen), Some(vec!["app"]), "{unseen}");
        }
    }

    #[test]
    fn settings_that_changed_are_a_change_without_accounts() {
        let mut content = Content::new(step(40, 10, &[])).unwrap();
        assert_eq!(names(&content, 10), None);
        content.forward(step(50, 45, &[])).unwrap();
        assert_eq!(names(&content, 44), Some(vec![]));
        assert_eq!(names(&content, 45), None);
    }

    #[test]
    fn what_it_weighs_is_what_is_in_it() {
        let mut content = Content::new(step(40, 0, &[("app", 30, Some("a"))])).unwrap();
        let one = content.bytes();
        content
            .forward(step(50, 0, &[("app", 45, None), ("db", 46, Some("b"))]))
            .unwrap();
        assert_eq!(content.bytes(), one - 1, "the name is shorter");
    }
}
