//! The part of the accounts that changed since the snapshot was read: one branch of the digest's tree.
//!
//! What a change does not touch is shared with the accounts before it.

use std::sync::Arc;

use keyroster_api::digest::{Leaf, Node, buckets_of};
use keyroster_api::snapshot::Account;

use crate::core::accounts::base::Base;
use crate::core::accounts::record::{Record, pack};

/// A branch in which something changed.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) node: Option<Node>,
    buckets: Vec<Bucket>,
}

#[derive(Debug, Clone)]
struct Bucket {
    node: Option<Node>,
    /// None: as in the base.
    entries: Option<Arc<[Entry]>>,
}

/// An account.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// As in the base, at this place.
    Base(u32),
    /// Changed.
    Own(Arc<[u8]>),
}

impl Entry {
    /// The account itself.
    pub(super) fn record<'a>(&'a self, base: &'a Base) -> Record<'a> {
        match self {
            Self::Base(place) => base.record(*place),
            Self::Own(bytes) => Record::new(bytes),
        }
    }
}

impl Branch {
    /// The branch with this number as it is in the base.
    pub(super) fn of(base: &Base, number: u16) -> Self {
        let hashes = base.hashes();
        let node = |number: u16| hashes.buckets.get(usize::from(number)).copied().flatten();
        let bucket = |number: u16| Bucket {
            node: node(number),
            entries: None,
        };
        let branch = hashes.branches.get(usize::from(number));
        Self {
            node: branch.copied().flatten(),
            buckets: buckets_of(number).map(bucket).collect(),
        }
    }

    /// The accounts of a bucket that changed; none when it is as in the base.
    pub(super) fn entries(&self, number: u16) -> Option<&[Entry]> {
        let index = number - buckets_of(keyroster_api::digest::branch_of(number)).start();
        self.buckets.get(usize::from(index))?.entries.as_deref()
    }

    /// Puts in the accounts of one bucket, each as it is now; gives by how many there are more and fewer.
    pub(super) fn change(
        &mut self,
        base: &Base,
        number: u16,
        accounts: &[&Account],
    ) -> (usize, usize) {
        let before: Vec<Entry> = match self.entries(number) {
            Some(entries) => entries.to_vec(),
            None => base
                .bucket(number)
                .iter()
                .map(|place| Entry::Base(*place))
                .collect(),
        };
        let mut after = before;
        let (mut more, mut fewer) = (0, 0);
        for account in accounts {
            let name = account.name.as_bytes();
            let place = after.binary_search_by(|entry| entry.record(base).name().cmp(name));
            match (place, account.keys.is_empty()) {
                (Ok(index), true) => {
                    after.remove(index);
                    fewer += 1;
                }
                (Ok(index), false) => {
                    if let Some(entry) = after.get_mut(index) {
                        *entry = own(account);
                    }
                }
                (Err(index), false) => {
                    after.insert(index, own(account));
                    more += 1;
                }
                (Err(_), true) => {}
            }
        }
        self.set(base, number, after);
        (more, fewer)
    }

    fn set(&mut self, base: &Base, number: u16, entries: Vec<Entry>) {
        let leaf = |entry: &Entry| entry.record(base).account().ok().map(|all| Leaf::of(&all));
        let node = Node::of_bucket(entries.iter().filter_map(leaf));
        let first = *buckets_of(keyroster_api::digest::branch_of(number)).start();
        if let Some(bucket) = self.buckets.get_mut(usize::from(number - first)) {
            *bucket = Bucket {
                node,
                entries: Some(entries.into()),
            };
        }
        let nodes = (first..).zip(&self.buckets);
        self.node =
            Node::of_branch(nodes.filter_map(|(number, bucket)| Some((number, bucket.node?))));
    }
}

fn own(account: &Account) -> Entry {
    let mut bytes = Vec::new();
    pack(account, &mut bytes);
    Entry::Own(bytes.into())
}
