//! What hosts say that they hold: heard here at once, and told to the other key servers in batches.
//!
//! A host asks again as soon as it holds a snapshot on disk, and its question names that snapshot. So a question is a
//! confirmation, and needs no request of its own.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyroster_api::snapshot::Tag;
use keyroster_roster::HostId;
use keyroster_store::{Confirmation, Store, StoreError};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::limits::CONFIRMATIONS_AT_ONCE;

/// What was heard from hosts.
#[derive(Debug, Default)]
pub struct Confirmations {
    heard: Mutex<Heard>,
    unsaved: Notify,
    advanced: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Heard {
    hosts: HashMap<HostId, Held>,
    unsaved: HashMap<HostId, Confirmation>,
}

/// What is known of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What it said: the newest state of the roster that it holds, and the last moment at which it was answered.
    pub said: Confirmation,
    /// When that state was heard of.
    pub since: Instant,
}

impl Held {
    /// The newest state of the roster that it holds.
    #[must_use]
    pub const fn tag(&self) -> Tag {
        Tag {
            epoch: self.said.epoch,
            revision: self.said.revision,
        }
    }
}

impl Confirmations {
    /// Takes note of what a host says as it is answered. What was heard before is never taken back.
    pub fn hear(&self, host: &HostId, said: Confirmation) {
        let mut heard = self.lock();
        let before = heard.hosts.get(host).copied();
        let joined = before.map_or(said, |held| held.said.join(said));
        let mut held = Held {
            said: joined,
            since: Instant::now(),
        };
        let advanced = before.is_none_or(|before| held.tag() > before.tag());
        if let (false, Some(before)) = (advanced, before) {
            held.since = before.since;
        }
        heard.hosts.insert(host.clone(), held);
        heard.unsaved.insert(host.clone(), held.said);
        drop(heard);
        self.unsaved.notify_one();
        if advanced {
            self.advanced.send_replace(());
        }
    }

    /// What a host holds, as far as this server has heard.
    #[must_use]
    pub fn of(&self, host: &HostId) -> Option<Held> {
        self.lock().hosts.get(host).copied()
    }

    /// Tells when a host has come to hold something newer.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<()> {
        self.advanced.subscribe()
    }

    /// Waits until there is something to save.
    pub async fn unsaved(&self) {
        self.unsaved.notified().await;
    }

    /// Saves what was heard, for the other key servers. What could not be saved stays for the next time.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn save(&self, store: &Store) -> Result<(), StoreError> {
        let reports: Vec<(HostId, Confirmation)> = {
            let heard = self.lock();
            let unsaved = heard.unsaved.iter();
            unsaved.map(|(host, said)| (host.clone(), *said)).collect()
        };
        // A write that comes meanwhile waits for one part and not for all.
        for part in reports.chunks(CONFIRMATIONS_AT_ONCE) {
            store.confirm(part).await?;
            let mut heard = self.lock();
            for (host, saved) in part {
                if heard.unsaved.get(host) == Some(saved) {
                    heard.unsaved.remove(host);
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use keyroster_roster::{Asks, Epoch, Revision, Timestamp};

    use super::*;

    const HOST: &str = "01939e8a-7c3f-7b1e-9d55-0123456789ab";

    fn said(revision: u64, at: i64) -> Confirmation {
        Confirmation {
            epoch: Epoch::FIRST,
            revision: Revision::new(revision).unwrap(),
            at: Timestamp::from_unix(at),
            asks: Asks::AsDaemon,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_that_was_heard_is_taken_back() {
        let confirmations = Confirmations::default();
        let host = HostId::parse(HOST).unwrap();
        let begun = Instant::now();
        confirmations.hear(&host, said(5, 100));
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        confirmations.hear(&host, said(4, 99));
        confirmations.hear(&host, said(5, 101));
        let held = Held {
            said: said(5, 101),
            since: begun,
        };
        assert_eq!(confirmations.of(&host), Some(held));
    }

    #[tokio::test]
    async fn how_a_host_asked_last_is_what_counts_and_of_one_second_the_daemon() {
        let confirmations = Confirmations::default();
        let host = HostId::parse(HOST).unwrap();
        let lone = |revision, at| Confirmation {
            asks: Asks::AtEachLogin,
            ..said(revision, at)
        };
        for (heard, asks) in [
            (lone(5, 100), Asks::AtEachLogin),
            (said(5, 101), Asks::AsDaemon),
            (lone(6, 101), Asks::AsDaemon),
            (lone(4, 102), Asks::AtEachLogin),
            (said(9, 101), Asks::AtEachLogin),
        ] {
            confirmations.hear(&host, heard);
            assert_eq!(
                confirmations.of(&host).unwrap().said.asks,
                asks,
                "{heard:?}"
            );
        }
    }

    #[tokio::test]
    async fn word_is_given_when_a_host_holds_something_newer_and_only_then() {
        let confirmations = Confirmations::default();
        let host = HostId::parse(HOST).unwrap();
        let mut follower = confirmations.follow();
        confirmations.hear(&host, said(5, 100));
        assert!(follower.has_changed().unwrap());
        follower.mark_unchanged();
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        confirmations.hear(&host, said(5, 101));
        assert!(!follower.has_changed().unwrap());
        confirmations.hear(&host, said(6, 101));
        assert!(follower.has_changed().unwrap());
    }
}
