//! What was acknowledged: the book that the roster is compared with.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::Report;

/// What an administrator knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Its addition was acknowledged.
    Added,
    /// Somebody has asked for its revocation, and may have got it.
    Revoking,
    /// Its revocation was acknowledged.
    Revoked,
    /// And a receipt said that all hosts have confirmed it.
    Confirmed,
}

/// The book, and what is counted beside it.
#[derive(Debug, Default)]
pub struct Ledger {
    keys: Mutex<BTreeMap<u64, Fact>>,
    pub servers_killed: AtomicU64,
    pub postgres_killed: AtomicU64,
    pub agents_killed: AtomicU64,
    pub unanswered: AtomicU64,
    pub logins: AtomicU64,
    pub let_in: AtomicU64,
    pub undecided: AtomicU64,
    pub wrong_denials: AtomicU64,
    pub wrong_allows: AtomicU64,
}

impl Ledger {
    /// Notes what is known of a key from now on.
    pub fn note(&self, key: u64, fact: Fact) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key, fact);
    }

    /// What is known of all keys.
    pub fn facts(&self) -> BTreeMap<u64, Fact> {
        self.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Some key whose revocation all hosts have confirmed.
    pub fn confirmed(&self, choice: u64) -> Option<u64> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let after = keys.range(choice..).chain(keys.range(..choice));
        let mut confirmed = after.filter(|(_, fact)| **fact == Fact::Confirmed);
        confirmed.next().map(|(key, _)| *key)
    }

    /// How many keys were ever added.
    pub fn len(&self) -> u64 {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.keys().next_back().map_or(0, |last| last + 1)
    }

    /// The counts, without what only the end can tell.
    pub fn report(&self) -> Report {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let facts = self.facts();
        let known =
            |wanted: &[Fact]| facts.values().filter(|fact| wanted.contains(fact)).count() as u64;
        Report {
            servers_killed: count(&self.servers_killed),
            postgres_killed: count(&self.postgres_killed),
            agents_killed: count(&self.agents_killed),
            added: facts.len() as u64,
            revoked: known(&[Fact::Revoked, Fact::Confirmed]),
            confirmed: known(&[Fact::Confirmed]),
            unanswered: count(&self.unanswered),
            logins: count(&self.logins),
            let_in: count(&self.let_in),
            undecided: count(&self.undecided),
            wrong_denials: count(&self.wrong_denials),
            wrong_allows: count(&self.wrong_allows),
            ..Report::default()
        }
    }
}
