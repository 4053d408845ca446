//! The accounts of one snapshot, as they were read: one piece of memory that never changes.
//!
//! Where each account lies in it is kept by bucket of the [digest](keyroster_api::digest), and in there by name. So an account
//! is found through the hash of its name, and a bucket's hash is made of neighbours.

use std::sync::OnceLock;

use keyroster_api::digest::{BRANCHES, BUCKETS, Leaf, Node, bucket_of, buckets_of};
use keyroster_api::snapshot::Account;

use crate::core::accounts::Unusable;
use crate::core::accounts::record::{Record, pack};

/// The accounts.
#[derive(Debug, Default)]
pub(super) struct Base {
    bytes: Box<[u8]>,
    /// Where accounts begin.
    places: Box<[u32]>,
    /// Where each bucket's places begin, and where those of the last one end.
    starts: Box<[u32]>,
    hashes: OnceLock<Hashes>,
}

/// Made when first asked for: a host that hears of no change needs none.
#[derive(Debug)]
pub(super) struct Hashes {
    pub(super) buckets: Box<[Option<Node>]>,
    pub(super) branches: Box<[Option<Node>]>,
}

/// Takes accounts one by one, in whatever order.
#[derive(Debug, Default)]
pub(super) struct Builder {
    bytes: Vec<u8>,
    entries: Vec<(u16, u32)>,
}

impl Builder {
    /// Takes the next account.
    pub(super) fn push(&mut self, account: &Account) -> Result<(), Unusable> {
        let place = u32::try_from(self.bytes.len()).map_err(|_| Unusable::TooLarge)?;
        self.entries.push((bucket_of(&account.name), place));
        pack(account, &mut self.bytes);
        Ok(())
    }

    /// No more follow.
    pub(super) fn finish(mut self) -> Result<Base, Unusable> {
        self.bytes.shrink_to_fit();
        let bytes = self.bytes.into_boxed_slice();
        let name = |place: u32| record(&bytes, place).name();
        let order = |entry: &(u16, u32)| (entry.0, name(entry.1));
        self.entries
            .sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        let twice = |pair: &[(u16, u32)]| matches!(pair, [a, b] if order(a) == order(b));
        if self.entries.windows(2).any(twice) {
            return Err(Unusable::AccountTwice);
        }
        let starts = (0..=BUCKETS).map(|bucket| {
            let before = self.entries.partition_point(|entry| entry.0 < bucket);
            u32::try_from(before).unwrap_or(u32::MAX)
        });
        Ok(Base {
            starts: starts.collect(),
            places: self.entries.iter().map(|entry| entry.1).collect(),
            bytes,
            hashes: OnceLock::new(),
        })
    }
}

impl Base {
    /// How many accounts there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The places of a bucket's accounts, by name.
    pub(super) fn bucket(&self, number: u16) -> &[u32] {
        let at = |index: usize| self.starts.get(index).map(|start| *start as usize);
        let range = at(usize::from(number)).zip(at(usize::from(number) + 1));
        range
            .and_then(|(from, to)| self.places.get(from..to))
            .unwrap_or_default()
    }

    /// The account at a place.
    pub(super) fn record(&self, place: u32) -> Record<'_> {
        record(&self.bytes, place)
    }

    /// The hashes of all buckets and branches.
    pub(super) fn hashes(&self) -> &Hashes {
        self.hashes.get_or_init(|| self.hash())
    }

    /// Whether they were asked for already.
    pub(super) fn is_hashed(&self) -> bool {
        self.hashes.get().is_some()
    }

    fn hash(&self) -> Hashes {
        let leaf = |place: &u32| self.record(*place).account().ok().map(|all| Leaf::of(&all));
        let bucket = |number: u16| Node::of_bucket(self.bucket(number).iter().filter_map(leaf));
        let buckets: Box<[_]> = (0..BUCKETS).map(bucket).collect();
        let node = |number: u16| Some((number, (*buckets.get(usize::from(number))?)?));
        let branch = |number: u16| Node::of_branch(buckets_of(number).filter_map(node));
        Hashes {
            branches: (0..BRANCHES).map(branch).collect(),
            buckets,
        }
    }
}

fn record(bytes: &[u8], place: u32) -> Record<'_> {
    Record::new(bytes.get(place as usize..).unwrap_or_default())
}
