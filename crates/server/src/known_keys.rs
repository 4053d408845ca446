//! What hosts say about the snapshot keys that they go by: heard here, and written down in batches.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyroster_roster::HostId;
use keyroster_store::{Store, StoreError};
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
    hosts: HashMap<HostId, u64>,
    unsaved: HashMap<HostId, u64>,
}

impl KnownKeys {
    /// Takes note of the set that a host goes by. One that it goes by since its enrolment is no news.
    pub fn hear(&self, host: &HostId, serial: u64) {
        let mut heard = self.lock();
        let before = heard.hosts.get(host).copied().unwrap_or(0);
        if serial > before {
            heard.hosts.insert(host.clone(), serial);
            heard.unsaved.insert(host.clone(), serial);
            drop(heard);
            self.unsaved.notify_one();
        }
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
        let reports: Vec<(HostId, u64)> = {
            let heard = self.lock();
            let unsaved = heard.unsaved.iter();
            unsaved
                .map(|(host, serial)| (host.clone(), *serial))
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
