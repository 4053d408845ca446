//! The accounts of a host: packed, never changed in place, and changed at the cost of the change.
//!
//! They lie in the buckets of the [digest's](keyroster_api::digest) hash tree, so that the tree needs no copy of their names.
//! Accounts after a change share with those before all that it does not touch: a login that reads the old ones goes on reading
//! them.

mod base;
mod branch;
mod record;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use keyroster_api::digest::{BRANCHES, Root, branch_of, bucket_of};
use keyroster_api::snapshot::{Account, AccountKey};
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

use crate::core::accounts::base::{Base, Builder};
use crate::core::accounts::branch::Branch;
use crate::core::accounts::record::Record;

pub use crate::core::accounts::record::Damaged;

/// The accounts of one host at one revision.
#[derive(Debug, Clone)]
pub struct Accounts {
    base: Arc<Base>,
    /// By number; none where all is as in the base.
    branches: Vec<Option<Arc<Branch>>>,
    count: usize,
}

/// Accounts that contradict themselves: two entries for one thing would be two answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// One name, two entries.
    #[error("an account stands in it twice")]
    AccountTwice,
    /// One key, two entries in one account.
    #[error("a key stands twice in an account")]
    KeyTwice,
    /// More than can be held.
    #[error("the accounts take more room than there is")]
    TooLarge,
}

impl Accounts {
    /// These accounts, in whatever order.
    ///
    /// # Errors
    /// When they contradict themselves.
    pub fn of(accounts: impl IntoIterator<Item = Account>) -> Result<Self, Unusable> {
        let mut builder = Builder::default();
        for mut account in accounts {
            sort_keys(&mut account)?;
            builder.push(&account)?;
        }
        Self::on(builder)
    }

    fn on(builder: Builder) -> Result<Self, Unusable> {
        let base = builder.finish()?;
        Ok(Self {
            count: base.len(),
            base: Arc::new(base),
            ..Self::default()
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What is said about a key of an account.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn key(
        &self,
        name: &str,
        algorithm: &str,
        blob: &str,
    ) -> Result<Option<AccountKey>, Damaged> {
        match self.find(name) {
            Some(record) => record.key(algorithm, blob),
            None => Ok(None),
        }
    }

    fn find(&self, name: &str) -> Option<Record<'_>> {
        let bucket = bucket_of(name);
        let name = name.as_bytes();
        match self
            .branch(bucket)
            .and_then(|branch| branch.entries(bucket))
        {
            Some(entries) => {
                let order = |entry: &branch::Entry| entry.record(&self.base).name().cmp(name);
                let entry = entries.get(entries.binary_search_by(order).ok()?)?;
                Some(entry.record(&self.base))
            }
            None => {
                let places = self.base.bucket(bucket);
                let order = |place: &u32| self.base.record(*place).name().cmp(name);
                let place = places.get(places.binary_search_by(order).ok()?)?;
                Some(self.base.record(*place))
            }
        }
    }

    fn branch(&self, bucket: u16) -> Option<&Branch> {
        let branch = self.branches.get(usize::from(branch_of(bucket)))?;
        branch.as_deref()
    }

    /// All of them, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Result<Account, Damaged>> + '_ {
        (0..keyroster_api::digest::BUCKETS).flat_map(|bucket| {
            let changed = self
                .branch(bucket)
                .and_then(|branch| branch.entries(bucket));
            let kept = match changed {
                Some(_) => &[],
                None => self.base.bucket(bucket),
            };
            let changed = changed.unwrap_or_default().iter();
            let changed = changed.map(|entry| entry.record(&self.base));
            let kept = kept.iter().map(|place| self.base.record(*place));
            changed.chain(kept).map(Record::account)
        })
    }

    /// These accounts after a change: each of `changed` as it is from now on, one without keys gone.
    ///
    /// # Errors
    /// When the change contradicts itself.
    pub fn with(&self, changed: Vec<Account>) -> Result<Self, Unusable> {
        let mut after = self.clone();
        let mut accounts = changed;
        accounts.iter_mut().try_for_each(sort_keys)?;
        accounts.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        if accounts
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.name == b.name))
        {
            return Err(Unusable::AccountTwice);
        }
        let mut by_bucket = BTreeMap::<u16, Vec<&Account>>::new();
        for account in &accounts {
            by_bucket
                .entry(bucket_of(&account.name))
                .or_default()
                .push(account);
        }
        for (bucket, accounts) in by_bucket {
            after.change(bucket, &accounts);
        }
        Ok(after)
    }

    fn change(&mut self, bucket: u16, accounts: &[&Account]) {
        let number = branch_of(bucket);
        let Some(branch) = self.branches.get_mut(usize::from(number)) else {
            return;
        };
        let branch = branch.get_or_insert_with(|| Arc::new(Branch::of(&self.base, number)));
        let (more, fewer) = Arc::make_mut(branch).change(&self.base, bucket, accounts);
        self.count = self.count.saturating_add(more).saturating_sub(fewer);
    }

    /// The digest of all of them. The first on the accounts of a snapshot costs as much as they are; after changes it costs
    /// next to nothing.
    #[must_use]
    pub fn digest(&self) -> Root {
        let kept = self.base.hashes();
        let nodes =
            self.branches
                .iter()
                .zip(kept.branches.iter())
                .map(|(branch, kept)| match branch {
                    Some(branch) => branch.node,
                    None => *kept,
                });
        Root::of(
            (0..)
                .zip(nodes)
                .filter_map(|(number, node)| Some((number, node?))),
        )
    }
}

impl Accounts {
    /// Whether the digest costs next to nothing already.
    pub(super) fn is_hashed(&self) -> bool {
        self.base.is_hashed()
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            base: Arc::default(),
            branches: vec![None; usize::from(BRANCHES)],
            count: 0,
        }
    }
}

/// Read account by account: the texts of one are dropped before those of the next are made.
impl<'de> Deserialize<'de> for Accounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Accounts;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of accounts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Accounts, A::Error> {
        let mut builder = Builder::default();
        while let Some(mut account) = list.next_element::<Account>()? {
            sort_keys(&mut account).map_err(A::Error::custom)?;
            builder.push(&account).map_err(A::Error::custom)?;
        }
        Accounts::on(builder).map_err(A::Error::custom)
    }
}

/// Puts keys into the order that the digest needs.
fn sort_keys(account: &mut Account) -> Result<(), Unusable> {
    fn order(key: &AccountKey) -> (&str, &str) {
        (&key.algorithm, &key.blob)
    }
    account
        .keys
        .sort_unstable_by(|a, b| order(a).cmp(&order(b)));
    let twice = |pair: &[AccountKey]| matches!(pair, [a, b] if order(a) == order(b));
    match account.keys.windows(2).any(twice) {
        true => Err(Unusable::KeyTwice),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
