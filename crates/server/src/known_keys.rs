//! What hosts go by, of the snapshot keys and of the CAs: heard here, and written down in batches.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyroster_roster::HostId;
use keyroster_store::{KnownSet, Store, StoreError};
use tokio::sync::Notify;

use crate::limits::CONFIRMATIONS_AT_ONCE;

/// What was heard from hosts.
#[derive(Debug, Default)]
pub struct KnownKeys {
    heard: Mutex<Heard>,
    unsaved: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    hosts: HashMap<HostId, KnownSet>,
    unsaved: HashMap<HostId, KnownSet>,
    /// Those that were told of something without a wait for it.
    told: HashSet<HostId>,
}

impl KnownKeys {
    /// Takes note of what a host goes by. What it goes by since its enrolment is no news.
    pub fn hear(&self, host: &HostId, known: KnownSet) {
        let mut heard = self.lock();
        let before = heard.hosts.get(host).copied().unwrap_or_default();
        let now = KnownSet {
            serial: known.serial.max(before.serial),
            ca_serial: known.ca_serial.max(before.ca_serial),
        };
        if now != before {
            heard.hosts.insert(host.clone(), now);
            heard.unsaved.insert(host.clone(), now);
            drop(heard);
            self.unsaved.notify_one();
        }
    }

    /// Whether a host that is behind is to be told so at once, and not when its question has been held: once, since one that can't
    /// follow would ask without end.
    #[must_use]
    pub fn tells_at_once(&self, host: &HostId) -> bool {
        self.lock().told.insert(host.clone())
    }

    /// Waits until there is something to save.
    pub async fn unsaved(&self) {
        self.unsaved.notified().await;
    }

    /// Saves what was heard. What could not be saved stays for the next time.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn save(&self, store: &Store) -> Result<(), StoreError> {
        let reports: Vec<(HostId, KnownSet)> = {
            let heard = self.lock();
            let unsaved = heard.unsaved.iter();
            unsaved
                .map(|(host, known)| (host.clone(), *known))
                .collect()
        };
        // A write that comes meanwhile waits for one part and not for all.
        for part in reports.chunks(CONFIRMATIONS_AT_ONCE) {
            store.know_host_keys(part).await?;
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
