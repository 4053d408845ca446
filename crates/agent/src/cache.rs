//! Rendered answers by account and key.
//!
//! An entry that is being computed while a new snapshot comes in would be put into the cache *after* the change, and an
//! invalidation before would have done nothing. So nothing is ever invalidated: each entry says which snapshot it comes from,
//! and one of another is computed again.

use std::sync::Arc;

use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

use crate::core::held::{Held, Lines};
use crate::core::resolver::{Asked, LineSource};

/// The cache.
#[derive(Debug, Clone)]
pub struct LineCache(Cache<[u8; 32], Arc<Lines>>);

impl LineCache {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self(Cache::new(MAX_ENTRIES))
    }
}

impl Default for LineCache {
    fn default() -> Self {
        Self::new()
    }
}

impl LineSource for LineCache {
    fn lines(&self, held: &Held, asked: &Asked<'_>) -> Arc<Lines> {
        let key = digest(asked);
        match self.0.get(&key) {
            Some(lines) if lines.tag == held.tag() => lines,
            _ => {
                let lines = Arc::new(held.lines(&asked.account, asked.key_type, asked.key_base64));
                self.0.insert(key, Arc::clone(&lines));
                lines
            }
        }
    }
}

/// Account and key in 32 bytes: strangers choose both, and long ones must not take more room than short ones. The blanks
/// between can stand in none of the three.
fn digest(asked: &Asked<'_>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [
        asked.account.as_str(),
        " ",
        asked.key_type,
        " ",
        asked.key_base64,
    ] {
        digest.update(part.as_bytes());
    }
    digest.finalize().into()
}

/// Entries that are kept: less than a mebibyte, for the logins of a busy minute. Strangers' keys take room too, but what is
/// asked for often stays.
const MAX_ENTRIES: u64 = 1024;

#[cfg(test)]
mod tests {
    use keyroster_wire::Question;

    use super::*;
    use crate::testing::{BLOB, KEY_TYPE, hold, snapshot};

    #[test]
    fn an_answer_of_an_older_snapshot_is_never_served_however_it_got_in() {
        let cache = LineCache::new();
        let question = Question {
            uid: 1,
            account: "deploy",
            key_type: KEY_TYPE,
            key_base64: BLOB,
            fingerprint: "f",
        };
        let asked = Asked::parse(&question).unwrap();
        let old = hold(&snapshot(1, 10));
        let mut revoked = snapshot(1, 11);
        revoked.accounts.clear();
        let new = hold(&revoked);
        assert_eq!(cache.lines(&old, &asked).spans.len(), 1);
        assert_eq!(cache.lines(&new, &asked).spans.len(), 0);
        // A slow reader of the old snapshot puts its answer in after the change …
        assert_eq!(cache.lines(&old, &asked).spans.len(), 1);
        // … and nobody who holds the new one sees it.
        assert_eq!(cache.lines(&new, &asked).spans.len(), 0);
    }

    #[test]
    fn a_second_question_is_answered_from_the_cache() {
        let cache = LineCache::new();
        let question = Question {
            uid: 1,
            account: "deploy",
            key_type: KEY_TYPE,
            key_base64: BLOB,
            fingerprint: "f",
        };
        let asked = Asked::parse(&question).unwrap();
        let held = hold(&snapshot(1, 10));
        assert!(Arc::ptr_eq(
            &cache.lines(&held, &asked),
            &cache.lines(&held, &asked)
        ));
    }
}
