//! Hosts that wait for a change.
//!
//! A host begins to wait before its snapshot is looked at, and says afterwards at which state of the roster that was. So no
//! change can fall between the look and the wait, and none that the look has seen already ends the wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyroster_api::snapshot::Tag;
use keyroster_roster::HostId;
use tokio::sync::watch;
use tokio::time::Instant;

/// The hosts that wait now, and the way to each.
#[derive(Debug, Default)]
pub struct Waiting {
    hosts: Mutex<HashMap<HostId, watch::Sender<News>>>,
    stopped: watch::Sender<bool>,
}

/// One host that waits. Dropped, it waits no more.
#[derive(Debug)]
pub struct Waiter {
    waiting: Arc<Waiting>,
    host: HostId,
    news: watch::Receiver<News>,
}

/// What ended a wait.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Something changed for the host, or may have.
    Change,
    /// The time was up.
    Time,
    /// The server stops.
    Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    Nothing,
    /// The newest state of the roster that changed something for the host.
    Changed(Tag),
    /// The roster is another one.
    Everything,
}

impl Waiting {
    /// A place to wait; `None` when the host has too many of them already, or the server stops.
    #[must_use]
    pub fn begin(self: &Arc<Self>, host: &HostId) -> Option<Waiter> {
        if *self.stopped.borrow() {
            return None;
        }
        let mut hosts = self.lock();
        let sender = hosts
            .entry(host.clone())
            .or_insert_with(|| watch::Sender::new(News::Nothing));
        if sender.receiver_count() >= MAX_WAITERS_OF_HOST {
            return None;
        }
        Some(Waiter {
            waiting: Arc::clone(self),
            host: host.clone(),
            news: sender.subscribe(),
        })
    }

    /// Tells these hosts, and no others, which state of the roster last changed something for them.
    pub fn tell(&self, changed: impl IntoIterator<Item = (HostId, Tag)>) {
        let hosts = self.lock();
        for (host, tag) in changed {
            if let Some(sender) = hosts.get(&host) {
                sender.send_replace(News::Changed(tag));
            }
        }
    }

    /// Tells all hosts which state of the roster last changed something for each of them.
    pub fn tell_each(&self, tag: Tag) {
        for sender in self.lock().values() {
            sender.send_replace(News::Changed(tag));
        }
    }

    /// Tells all hosts that anything may have changed.
    pub fn tell_all(&self) {
        for sender in self.lock().values() {
            sender.send_replace(News::Everything);
        }
    }

    /// Ends all waits, and lets none begin.
    pub fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Waits until the server stops.
    pub async fn stopped(&self) {
        // The sender is in `self`, so that it can't be gone.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// How many wait now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock()
            .values()
            .map(watch::Sender::receiver_count)
            .sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<HostId, watch::Sender<News>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Waits for a change after the state `seen`.
    pub async fn wait(&mut self, seen: Tag, until: Instant) -> End {
        let is_new = |news: &News| match news {
            News::Nothing => false,
            News::Changed(tag) => *tag > seen,
            News::Everything => true,
        };
        tokio::select! {
            biased;
            _ = self.news.wait_for(is_new) => End::Change,
            () = self.waiting.stopped() => End::Stop,
            () = tokio::time::sleep_until(until) => End::Time,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut hosts = self.waiting.lock();
        // This one is still counted.
        if hosts
            .get(&self.host)
            .is_some_and(|sender| sender.receiver_count() <= 1)
        {
            hosts.remove(&self.host);
        }
    }
}

/// Requests of one host that may wait at one time: one, and those of connections that it has given up.
const MAX_WAITERS_OF_HOST: usize = 4;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::poll;
    use keyroster_roster::{Epoch, Revision};

    use super::*;

    fn host(number: u8) -> HostId {
        HostId::parse(&format!("01939e8a-7c3f-7b1e-9d55-0000000000{number:02x}")).unwrap()
    }

    fn tag(revision: u64) -> Tag {
        Tag {
            epoch: Epoch::new(1).unwrap(),
            revision: Revision::new(revision).unwrap(),
        }
    }

    fn never() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    #[tokio::test]
    async fn a_change_wakes_the_hosts_that_it_concerns_and_no_others() {
        let waiting = Arc::new(Waiting::default());
        let mut concerned = waiting.begin(&host(1)).unwrap();
        let mut other = waiting.begin(&host(2)).unwrap();
        let mut wait = std::pin::pin!(other.wait(tag(5), never()));
        waiting.tell([(host(1), tag(6)), (host(3), tag(6))]);
        assert_eq!(concerned.wait(tag(5), never()).await, End::Change);
        assert!(poll!(wait.as_mut()).is_pending());
    }

    #[tokio::test]
    async fn a_change_that_was_seen_before_the_wait_does_not_end_it_and_one_in_between_does() {
        let waiting = Arc::new(Waiting::default());
        let mut waiter = waiting.begin(&host(1)).unwrap();
        waiting.tell([(host(1), tag(6))]);
        assert!(poll!(std::pin::pin!(waiter.wait(tag(6), never()))).is_pending());
        assert_eq!(waiter.wait(tag(5), never()).await, End::Change);
    }

    #[tokio::test]
    async fn another_roster_and_the_end_of_the_server_wake_everybody() {
        let waiting = Arc::new(Waiting::default());
        let mut waiter = waiting.begin(&host(1)).unwrap();
        waiting.tell_all();
        assert_eq!(waiter.wait(tag(9), never()).await, End::Change);
        drop(waiter);
        let mut waiter = waiting.begin(&host(1)).unwrap();
        waiting.stop();
        assert_eq!(waiter.wait(tag(9), never()).await, End::Stop);
        assert!(waiting.begin(&host(1)).is_none());
    }

    #[tokio::test]
    async fn a_host_has_few_places_and_gives_them_back() {
        let waiting = Arc::new(Waiting::default());
        let mut places: Vec<Waiter> = (0..MAX_WAITERS_OF_HOST)
            .map(|_| waiting.begin(&host(1)).unwrap())
            .collect();
        assert!(waiting.begin(&host(1)).is_none());
        assert!(waiting.begin(&host(2)).is_some());
        places.pop();
        assert!(waiting.begin(&host(1)).is_some());
        places.clear();
        assert_eq!((waiting.count(), waiting.lock().len()), (0, 0));
    }
}
