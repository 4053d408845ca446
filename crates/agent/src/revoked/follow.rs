//! Follows the list at the key server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyroster_api::revoked_keys::{ListError, Received, RevokedKeys};
use keyroster_api::signature::SnapshotPublicKey;
use keyroster_api::snapshot::Tag;
use keyroster_keys::Fingerprints;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::core::breaker::Breaker;
use crate::core::pace::{Answered, Next, next};
use crate::core::revoked::{Refusal, Step, judge};
use crate::fetch::Fetcher;
use crate::poll::spread;
use crate::random::jitter;
use crate::revoked::ask::{Ask, Said, Wanted, ask};
use crate::revoked::disk::{Disk, Seen};
use crate::revoked::krl_file::KrlFile;
use crate::shared::{ListHealth, Shared};
use crate::state::StateDir;

/// The newest list; none while nothing is known.
pub type Listed = Option<Arc<RevokedKeys>>;

/// What a follower is made of.
#[derive(Debug)]
pub struct Parts {
    /// Clock and health.
    pub shared: Arc<Shared>,
    /// The connection to the key server, as it is now: see [`Poller::fetchers`](crate::poll::Poller::fetchers).
    pub fetchers: watch::Receiver<Arc<Fetcher>>,
    /// The state directory.
    pub dir: StateDir,
    /// Whose lists were believed when the one on the disk was written.
    pub key: SnapshotPublicKey,
    /// The file that sshd reads, if there is to be one.
    pub krl: Option<KrlFile>,
    /// How long the key server may hold a question.
    pub wait: Duration,
    /// The time between two questions to a key server that does not hold them.
    pub interval: Duration,
}

/// Follows the list.
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    fetchers: watch::Receiver<Arc<Fetcher>>,
    wait: Duration,
    interval: Duration,
    disk: Arc<Mutex<Disk>>,
    list: watch::Sender<Listed>,
    breaker: Breaker,
    form: Wanted,
}

impl Follower {
    /// Reads what is on the disk. Where sshd would find no list at all, it gets an empty one.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let mut disk = Disk::new(parts.dir, parts.krl);
        let (list, doubts) = disk.load(&parts.key);
        let list = list.map(Arc::new);
        let kept = list.as_ref().map(|list| disk.keep(list));
        let failures = doubts.into_iter().chain(kept.and_then(Result::err));
        let mut health = ListHealth::of(list.as_deref());
        for failure in failures {
            tracing::error!(error = %failure, "revoked keys on disk");
            health.disk.get_or_insert(failure.to_string());
        }
        parts.shared.list_health(|now| *now = health);
        Self {
            shared: parts.shared,
            fetchers: parts.fetchers,
            wait: parts.wait,
            interval: parts.interval,
            disk: Arc::new(Mutex::new(disk)),
            list: watch::Sender::new(list),
            breaker: Breaker::default(),
            form: Wanted::Additions,
        }
    }

    /// The newest list, and word of each that follows.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Listed> {
        self.list.subscribe()
    }

    /// Asks again and again. It never returns; drop it to end it.
    pub async fn run(&mut self) {
        loop {
            let pause = self.round().await;
            tokio::time::sleep(pause).await;
        }
    }

    /// One question, and what follows from the answer; the pause until the next.
    async fn round(&mut self) -> Duration {
        let held = self.list.borrow().clone();
        let question = Ask {
            held: held.as_ref().map(|list| list.tag()),
            form: self.form,
            wait: Some(self.wait).filter(|wait| held.is_some() && !wait.is_zero()),
        };
        let (sent, started) = (self.shared.now(), Instant::now());
        let fetcher = Arc::clone(&self.fetchers.borrow());
        let news = match ask(&fetcher, question).await {
            Ok(Said::Unchanged) => Ok(Step::Keep),
            Ok(Said::Document(document)) => match self.learn(document, held).await {
                Err(Refusal::Document(ListError::OtherBase | ListError::Digest))
                    if self.form == Wanted::Additions =>
                {
                    // What is held is of no use for additions; the whole list is.
                    self.form = Wanted::Whole;
                    return Duration::ZERO;
                }
                learnt => learnt.map_err(|refusal| refusal.to_string()),
            },
            Err(failure) => Err(failure),
        };
        self.keep().await;
        let step = match news {
            Ok(step) => step,
            Err(error) => return self.failed(error),
        };
        self.breaker.succeeded();
        self.form = Wanted::Additions;
        self.shared.list_health(|health| {
            health.confirmed = Some(sent.since_boot);
            health.fetch = None;
        });
        let answered = Answered {
            wait: question.wait,
            took: started.elapsed(),
            news: step == Step::Take,
            kept: true,
        };
        match next(answered) {
            Next::AtOnce if question.wait.is_some() || step == Step::Take => Duration::ZERO,
            _ => spread(self.interval),
        }
    }

    /// Puts a list together and judges it, away from the thread that waits for sockets: a long one takes a while.
    async fn learn(&mut self, document: Vec<u8>, held: Listed) -> Result<Step, Refusal> {
        // Keys may have been exchanged meanwhile.
        let key = self.fetchers.borrow().authority().key.clone();
        let floor = self.disk().floor();
        let judged = tokio::task::spawn_blocking(move || {
            let list = Received::verify(&document, &key)?.complete(held.as_deref())?;
            match judge(newest(held.as_deref(), floor.as_ref()), &list)? {
                Step::Take | Step::Keep => Ok::<_, Refusal>(list),
            }
        });
        let lost = |_| Refusal::Document(ListError::Malformed("reading it was given up".into()));
        let list = judged.await.map_err(lost)??;
        // A list that sshd reads already may still be news here.
        let held = self.list.borrow().as_ref().map(|held| held.tag());
        let step = match held == Some(list.tag()) {
            true => Step::Keep,
            false => Step::Take,
        };
        if step == Step::Take {
            self.shared.list_health(|health| {
                (health.tag, health.count) = (Some(list.tag()), list.keys().len());
            });
            self.list.send_replace(Some(Arc::new(list)));
        }
        Ok(step)
    }

    /// Writes what is due. It looks at the KRL each time: if that is gone, sshd refuses every key.
    async fn keep(&self) {
        let Some(list) = self.list.borrow().clone() else {
            return;
        };
        let disk = Arc::clone(&self.disk);
        let kept = tokio::task::spawn_blocking(move || {
            let mut disk = disk.lock().unwrap_or_else(PoisonError::into_inner);
            disk.keep(&list).map_err(|error| error.to_string())
        });
        let error = kept.await.unwrap_or_else(|err| Err(err.to_string())).err();
        let before = self
            .shared
            .list_health(|health| std::mem::replace(&mut health.disk, error.clone()));
        match error {
            Some(error) if before.as_ref() != Some(&error) => {
                tracing::error!(error, "the revoked keys can't be kept");
            }
            None if before.is_some() => tracing::info!("the revoked keys can be kept again"),
            _ => {}
        }
    }

    fn failed(&mut self, error: String) -> Duration {
        tracing::warn!(error, "the key server did not tell which keys are revoked");
        self.shared.list_health(|health| health.fetch = Some(error));
        self.breaker.failed(self.shared.now().since_boot, jitter())
    }

    fn disk(&self) -> std::sync::MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest list that was seen.
fn newest<'a>(
    held: Option<&'a RevokedKeys>,
    floor: Option<&'a Seen>,
) -> Option<(Tag, &'a Fingerprints)> {
    let held = held.map(|held| (held.tag(), held.keys()));
    let floor = floor.map(|floor| (floor.0, &floor.1));
    match (held, floor) {
        (Some(held), Some(floor)) if floor.0 > held.0 => Some(floor),
        (Some(held), _) => Some(held),
        (None, floor) => floor,
    }
}

#[cfg(test)]
mod tests;
