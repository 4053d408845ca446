//! A set of fingerprints that is read far more often than it is made.
//!
//! A sorted array and not a tree: it is searched by halving, merged and compared in one pass, and a million of them take 32 MB
//! and nothing more. Its bytes are the digests one after another, so that the order of a file is checked as it is read.

use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

use crate::fingerprint::{FINGERPRINT_BYTES, Fingerprint};

/// Fingerprints, each once, in ascending order of their bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fingerprints(Box<[Fingerprint]>);

/// The bytes are no set of fingerprints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FingerprintsError {
    /// The last one is cut off.
    #[error("the last fingerprint is cut off")]
    Truncated,
    /// One stands before a lower one, or twice.
    #[error("the fingerprints are not in ascending order")]
    Order,
}

impl Fingerprints {
    /// Reads the digests as they stand one after another.
    ///
    /// # Errors
    /// When the last one is cut off, or they are not in strictly ascending order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FingerprintsError> {
        let (digests, rest) = bytes.as_chunks::<FINGERPRINT_BYTES>();
        if !rest.is_empty() {
            return Err(FingerprintsError::Truncated);
        }
        Self::from_ascending(digests.iter().copied().map(Fingerprint::from_digest))
    }

    /// Takes fingerprints that are sorted already.
    ///
    /// # Errors
    /// When they are not in strictly ascending order.
    pub fn from_ascending(
        ascending: impl IntoIterator<Item = Fingerprint>,
    ) -> Result<Self, FingerprintsError> {
        let all: Box<[Fingerprint]> = ascending.into_iter().collect();
        match all.is_sorted_by(|one, next| one < next) {
            true => Ok(Self(all)),
            false => Err(FingerprintsError::Order),
        }
    }

    /// The digests one after another.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len().saturating_mul(FINGERPRINT_BYTES));
        for fingerprint in self {
            bytes.extend_from_slice(fingerprint.as_bytes());
        }
        bytes
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this one is in it.
    #[must_use]
    pub fn contains(&self, fingerprint: &Fingerprint) -> bool {
        self.0.binary_search(fingerprint).is_ok()
    }

    /// All of them, in ascending order.
    pub fn iter(&self) -> std::slice::Iter<'_, Fingerprint> {
        self.0.iter()
    }

    /// Those of both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = Vec::with_capacity(self.len().saturating_add(other.len()));
        let (mut ours, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        while let (Some(one), Some(another)) = (ours.peek(), theirs.peek()) {
            let order = one.cmp(another);
            let next = match order {
                Ordering::Less => ours.next(),
                Ordering::Greater => theirs.next(),
                Ordering::Equal => {
                    theirs.next();
                    ours.next()
                }
            };
            all.extend(next);
        }
        all.extend(ours);
        all.extend(theirs);
        Self(all.into())
    }

    /// Those that are not in `other`, in ascending order.
    pub fn without<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Fingerprint> {
        let mut others = other.iter().peekable();
        self.iter().filter(move |fingerprint| {
            while others.next_if(|other| other < fingerprint).is_some() {}
            others.peek() != Some(fingerprint)
        })
    }
}

impl FromIterator<Fingerprint> for Fingerprints {
    fn from_iter<I: IntoIterator<Item = Fingerprint>>(fingerprints: I) -> Self {
        let mut all: Vec<Fingerprint> = fingerprints.into_iter().collect();
        all.sort_unstable();
        all.dedup();
        Self(all.into())
    }
}

impl<'a> IntoIterator for &'a Fingerprints {
    type Item = &'a Fingerprint;
    type IntoIter = std::slice::Iter<'a, Fingerprint>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprints({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Few different ones, so that sets meet.
    fn some() -> impl Strategy<Value = Vec<Fingerprint>> {
        let fingerprint = |byte: u8| Fingerprint::from_digest([byte; FINGERPRINT_BYTES]);
        prop::collection::vec((0_u8..24).prop_map(fingerprint), 0..24)
    }

    proptest! {
        #[test]
        fn it_does_as_a_tree_does(ours in some(), theirs in some()) {
            let (one, other): (Fingerprints, Fingerprints) =
                (ours.iter().copied().collect(), theirs.iter().copied().collect());
            let (ours, theirs): (BTreeSet<_>, BTreeSet<_>) =
                (ours.into_iter().collect(), theirs.into_iter().collect());
            prop_assert!(one.iter().eq(ours.iter()));
            prop_assert!(one.union(&other).iter().eq(ours.union(&theirs)));
            prop_assert!(one.without(&other).eq(ours.difference(&theirs)));
            prop_assert!(theirs.iter().all(|key| one.contains(key) == ours.contains(key)));
        }

        #[test]
        fn bytes_are_read_as_they_were_written(ours in some()) {
            let set: Fingerprints = ours.into_iter().collect();
            prop_assert_eq!(Fingerprints::from_bytes(&set.to_bytes()).unwrap(), set);
        }
    }

    #[test]
    fn what_is_cut_off_unsorted_or_there_twice_is_refused() {
        let bytes = [[1; 32], [2; 32]].concat();
        assert_eq!(Fingerprints::from_bytes(&bytes).unwrap().len(), 2);
        assert_eq!(
            Fingerprints::from_bytes(&bytes[..63]),
            Err(FingerprintsError::Truncated)
        );
        for wrong in [[[2; 32], [1; 32]].concat(), [[1; 32], [1; 32]].concat()] {
            assert_eq!(
                Fingerprints::from_bytes(&wrong),
                Err(FingerprintsError::Order)
            );
        }
    }
}
