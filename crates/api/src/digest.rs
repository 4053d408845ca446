//! The digest of all accounts of a snapshot: what an update promises to make.
//!
//! A hash tree, so that the digest after a change of one account costs what that account costs, on a host with five accounts
//! and on one with a hundred thousand. Accounts lie in buckets by a hash of their name, buckets in branches; empty ones are
//! left out, so that a small host has a small tree.
//!
//! | node | SHA-256 over |
//! |---|---|
//! | account | `keyroster account` NUL, then its fields: texts and lists with their length before them, numbers as 64 bits, big endian; no end of a segment as one zero byte, an end as a one and the number |
//! | bucket | `keyroster bucket` NUL, then the hashes of its accounts by name |
//! | branch | `keyroster branch` NUL, then for each bucket its number in 16 bits and its hash |
//! | root | `keyroster root` NUL, then for each branch its number in 16 bits and its hash |
//!
//! The bucket of an account is the first 12 bits of the SHA-256 of its name; its branch the first 6.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use sha2::{Digest as _, Sha256};

use crate::snapshot::{Account, AccountKey, Segment};

/// The hash of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf([u8; 32]);

/// The hash of a bucket or of a branch; an empty one has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node([u8; 32]);

/// The digest of all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root([u8; 32]);

/// The accounts' hashes, ready for changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    buckets: BTreeMap<u16, Bucket>,
    branches: BTreeMap<u16, Node>,
    /// Buckets whose hash is out of date.
    changed: BTreeSet<u16>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Bucket {
    /// By name.
    leaves: Vec<(Box<str>, Leaf)>,
    node: Option<Node>,
}

impl Leaf {
    /// The hash of an account as it stands in a snapshot, its keys sorted by algorithm and body.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        let mut hash = Hash::new(b"keyroster account\0");
        hash.text(&account.name);
        hash.length(account.keys.len());
        for key in &account.keys {
            hash.key(key);
        }
        Self(hash.0.finalize().into())
    }
}

impl Node {
    /// The hash of a bucket of these accounts, by name.
    #[must_use]
    pub fn of_bucket(leaves: impl IntoIterator<Item = Leaf>) -> Option<Self> {
        let mut leaves = leaves.into_iter().peekable();
        leaves.peek()?;
        let mut hash = Hash::new(b"keyroster bucket\0");
        for leaf in leaves {
            hash.0.update(leaf.0);
        }
        Some(Self(hash.0.finalize().into()))
    }

    /// The hash of a branch of these buckets, by number.
    #[must_use]
    pub fn of_branch(buckets: impl IntoIterator<Item = (u16, Self)>) -> Option<Self> {
        let mut buckets = buckets.into_iter().peekable();
        buckets.peek()?;
        Some(Self(of_children(b"keyroster branch\0", buckets)))
    }
}

impl Root {
    /// The digest of all accounts, of these branches by number.
    #[must_use]
    pub fn of(branches: impl IntoIterator<Item = (u16, Node)>) -> Self {
        Self(of_children(b"keyroster root\0", branches))
    }
}

impl Tree {
    /// The tree of these accounts.
    #[must_use]
    pub fn of<'a>(accounts: impl IntoIterator<Item = &'a Account>) -> Self {
        let mut tree = Self::default();
        for account in accounts {
            tree.set(&account.name, Some(Leaf::of(account)));
        }
        tree
    }

    /// Puts an account in, changes it, or with `None` takes it away.
    pub fn set(&mut self, name: &str, leaf: Option<Leaf>) {
        let number = bucket_of(name);
        let leaves = &mut self.buckets.entry(number).or_default().leaves;
        let place = leaves.binary_search_by(|(other, _)| other.as_ref().cmp(name));
        match (place, leaf) {
            (Ok(index), Some(leaf)) => {
                if let Some(entry) = leaves.get_mut(index) {
                    entry.1 = leaf;
                }
            }
            (Ok(index), None) => drop(leaves.remove(index)),
            (Err(index), Some(leaf)) => leaves.insert(index, (name.into(), leaf)),
            (Err(_), None) => {}
        }
        self.changed.insert(number);
    }

    /// The digest of what is in it now.
    pub fn root(&mut self) -> Root {
        let branches: BTreeSet<u16> = self
            .changed
            .iter()
            .map(|number| branch_of(*number))
            .collect();
        for number in std::mem::take(&mut self.changed) {
            self.hash_bucket(number);
        }
        for number in branches {
            self.hash_branch(number);
        }
        Root::of(self.branches.iter().map(|(number, node)| (*number, *node)))
    }

    fn hash_bucket(&mut self, number: u16) {
        let Some(bucket) = self.buckets.get_mut(&number) else {
            return;
        };
        bucket.node = Node::of_bucket(bucket.leaves.iter().map(|(_, leaf)| *leaf));
        if bucket.node.is_none() {
            self.buckets.remove(&number);
        }
    }

    fn hash_branch(&mut self, number: u16) {
        let buckets = self.buckets.range(buckets_of(number));
        let nodes = buckets.filter_map(|(number, bucket)| Some((*number, bucket.node?)));
        match Node::of_branch(nodes) {
            Some(node) => drop(self.branches.insert(number, node)),
            None => drop(self.branches.remove(&number)),
        }
    }
}

impl fmt::Display for Root {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// A hash of parts that can't run into one another.
struct Hash(Sha256);

impl Hash {
    fn new(label: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(label))
    }

    fn number(&mut self, number: i64) {
        self.0.update(number.to_be_bytes());
    }

    fn length(&mut self, length: usize) {
        self.0
            .update(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text.as_bytes());
    }

    fn key(&mut self, key: &AccountKey) {
        self.text(&key.algorithm);
        self.text(&key.blob);
        self.length(key.segments.len());
        for segment in &key.segments {
            self.segment(segment);
        }
    }

    fn segment(&mut self, segment: &Segment) {
        self.number(segment.from);
        match segment.until {
            None => self.0.update([0]),
            Some(until) => {
                self.0.update([1]);
                self.number(until);
            }
        }
        self.text(&segment.options);
        self.text(&segment.comment);
    }
}

fn of_children(label: &[u8], children: impl IntoIterator<Item = (u16, Node)>) -> [u8; 32] {
    let mut hash = Hash::new(label);
    for (number, node) in children {
        hash.0.update(number.to_be_bytes());
        hash.0.update(node.0);
    }
    hash.0.finalize().into()
}

/// The number of the bucket in which the account with this name lies.
#[must_use]
pub fn bucket_of(name: &str) -> u16 {
    let [first, second, ..] = <[u8; 32]>::from(Sha256::digest(name.as_bytes()));
    u16::from_be_bytes([first, second]) >> (u16::BITS - BUCKET_BITS)
}

/// The number of the branch in which the bucket with this number lies.
#[must_use]
pub const fn branch_of(bucket: u16) -> u16 {
    bucket >> BUCKET_BITS_IN_BRANCH
}

/// The numbers of the buckets of the branch with this number.
#[must_use]
pub const fn buckets_of(branch: u16) -> RangeInclusive<u16> {
    let first = branch << BUCKET_BITS_IN_BRANCH;
    first..=(first | ((1 << BUCKET_BITS_IN_BRANCH) - 1))
}

/// How many buckets there are.
pub const BUCKETS: u16 = 1 << BUCKET_BITS;
/// How many branches there are.
pub const BRANCHES: u16 = 1 << (BUCKET_BITS - BUCKET_BITS_IN_BRANCH);

/// Bits of a bucket's number.
const BUCKET_BITS: u32 = 12;
/// Bits of it that tell the buckets of one branch apart.
const BUCKET_BITS_IN_BRANCH: u32 = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account(name: &str, comments: &[&str]) -> Account {
        let key = |comment: &&str| AccountKey {
            algorithm: "ssh-ed25519".into(),
            blob: "AAAA".into(),
            segments: vec![Segment {
                from: 0,
                until: None,
                options: "restrict".into(),
                comment: (*comment).into(),
            }],
        };
        Account {
            name: name.into(),
            keys: comments.iter().map(key).collect(),
        }
    }

    #[test]
    fn every_part_of_an_account_counts() {
        let plain = account("deploy", &["keyroster:a:b"]);
        let mut others = vec![
            account("deploy", &[]),
            account("deployer", &["keyroster:a:b"]),
            account("deploy", &["keyroster:a:c"]),
            account("deploy", &["keyroster:a:b", "keyroster:a:b"]),
        ];
        let changes: [fn(&mut AccountKey); 6] = [
            |key| key.algorithm.push('x'),
            |key| key.blob.push('A'),
            |key| key.segments[0].from = 1,
            |key| key.segments[0].until = Some(0),
            |key| key.segments[0].options.push_str(",pty"),
            |key| key.segments.push(key.segments[0].clone()),
        ];
        for change in changes {
            let mut other = plain.clone();
            change(&mut other.keys[0]);
            others.push(other);
        }
        for other in others {
            assert_ne!(Leaf::of(&other), Leaf::of(&plain), "{other:?}");
        }
    }

    #[test]
    fn the_digest_of_known_accounts_stays_what_it_is() {
        let mut tree = Tree::of([
            &account("deploy", &["keyroster:a:b"]),
            &account("root", &[]),
        ]);
        assert_eq!(
            tree.root().to_string(),
            "6aa74dd55ff8691b299883d5c9c6d3d239e3dd3ec50fe9d1e5f91a5ad5405d43"
        );
    }

    proptest! {
        #[test]
        fn a_changed_tree_is_the_tree_of_what_was_changed(
            before in proptest::collection::btree_map("[a-d][0-9]?", 0..4_usize, 0..12),
            changes in proptest::collection::vec(("[a-d][0-9]?", proptest::option::of(0..4_usize)), 0..12),
        ) {
            let comments = ["1", "2", "3", "4"];
            let make = |name: &str, count: usize| account(name, &comments[..count]);
            let mut accounts: BTreeMap<String, Account> =
                before.iter().map(|(name, count)| (name.clone(), make(name, *count))).collect();
            let mut tree = Tree::of(accounts.values());
            let _ = tree.root();
            for (name, count) in changes {
                match count {
                    None => drop(accounts.remove(&name)),
                    Some(count) => drop(accounts.insert(name.clone(), make(&name, count))),
                }
                tree.set(&name, accounts.get(&name).map(Leaf::of));
            }
            prop_assert_eq!(tree.root(), Tree::of(accounts.values()).root());
        }
    }
}
