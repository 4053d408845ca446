//! What the poller and the logins share.
//!
//! The poller writes, logins read. A login that finds nothing fresh pokes the poller and waits for the end of *an* attempt, not
//! for one of its own: a hundred logins at one moment cost the key server one request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use keyroster_api::revoked_keys::RevokedKeys;
use keyroster_api::snapshot::Tag;
use keyroster_wire::Question;
use tokio::sync::{mpsc, watch};

use crate::cache::LineCache;
use crate::clock::Clock;
use crate::core::breaker::{Breaker, Permit};
use crate::core::knowledge::Knowledge;
use crate::core::moment::Moment;
use crate::core::resolver::{Answer, Asked, Effort, Resolution, resolve};

/// The state between poller and logins.
pub struct Shared {
    clock: Box<dyn Clock>,
    known: ArcSwap<Knowledge>,
    cache: LineCache,
    breaker: Mutex<Breaker>,
    attempts: watch::Sender<u64>,
    poke: mpsc::Sender<()>,
    health: Mutex<Health>,
}

/// What status tells besides what is known: what went wrong last, and how long the credential lasts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why the last question to the key server came to nothing; none when it did not.
    pub fetch: Option<String>,
    /// What somebody has to look at: see [`crate::alert`].
    pub alert: Option<String>,
    /// Why the last writing to disk failed; none when it did not.
    pub disk: Option<String>,
    /// Why the certificate could not be renewed; none when it was, or needs not be.
    pub renewal: Option<String>,
    /// When the host's certificate ends, in seconds since the Unix epoch.
    pub certificate_until_s: Option<i64>,
    /// The list of revoked keys; none where nobody needs it.
    pub revoked_keys: Option<ListHealth>,
    /// How many reports the key server does not have; none where it has all.
    pub reports: Option<usize>,
}

/// What status tells of the list of revoked keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListHealth {
    /// Which list is held.
    pub tag: Option<Tag>,
    /// How many keys are on it.
    pub count: usize,
    /// When the key server was asked that last vouched for it, on the boot clock.
    pub confirmed: Option<Duration>,
    /// Why the last question for it came to nothing; none when it did not.
    pub fetch: Option<String>,
    /// Why it is not on disk, or not where sshd reads it.
    pub disk: Option<String>,
}

impl ListHealth {
    /// Of this list, as it was found on the disk.
    #[must_use]
    pub fn of(list: Option<&RevokedKeys>) -> Self {
        Self {
            tag: list.map(RevokedKeys::tag),
            count: list.map_or(0, |list| list.keys().len()),
            ..Self::default()
        }
    }

    /// Milliseconds since the key server last vouched for it, as far as this process knows.
    #[must_use]
    pub fn age_ms(&self, now: &Moment) -> Option<u64> {
        let age = now.since_boot.saturating_sub(self.confirmed?);
        u64::try_from(age.as_millis()).ok()
    }

    /// What is wrong: what lies nearer to sshd first.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        self.disk.clone().or_else(|| self.fetch.clone())
    }
}

impl Shared {
    /// Shares what is known; the receiver hears the pokes.
    #[must_use]
    pub fn new(clock: Box<dyn Clock>, known: Knowledge) -> (Self, mpsc::Receiver<()>) {
        let (poke, poked) = mpsc::channel(1);
        let shared = Self {
            clock,
            known: ArcSwap::from_pointee(known),
            cache: LineCache::new(),
            breaker: Mutex::default(),
            attempts: watch::Sender::new(0),
            poke,
            health: Mutex::default(),
        };
        (shared, poked)
    }

    /// The moment that it is.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// What is known.
    pub fn known(&self) -> std::sync::Arc<Knowledge> {
        self.known.load_full()
    }

    /// Replaces what is known. Only the poller does.
    pub fn learn(&self, known: Knowledge) {
        self.known.store(std::sync::Arc::new(known));
    }

    /// Tells the logins that wait that an attempt has ended.
    pub fn attempt_ended(&self) {
        self.attempts
            .send_modify(|attempts| *attempts = attempts.wrapping_add(1));
    }

    /// Hears of the end of each attempt: what is known may be another then.
    #[must_use]
    pub fn attempts(&self) -> watch::Receiver<u64> {
        self.attempts.subscribe()
    }

    /// Changes the breaker.
    pub fn breaker<T>(&self, change: impl FnOnce(&mut Breaker) -> T) -> T {
        change(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes or reads the health.
    pub fn health<T>(&self, change: impl FnOnce(&mut Health) -> T) -> T {
        change(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes or reads the health of the list of revoked keys.
    pub fn list_health<T>(&self, change: impl FnOnce(&mut ListHealth) -> T) -> T {
        self.health(|health| change(health.revoked_keys.get_or_insert_default()))
    }

    /// Answers a question; none when the account can have no grants.
    pub async fn answer(&self, question: &Question<'_>) -> Option<Answer> {
        let asked = Asked::parse(question)?;
        let now = self.now();
        let effort = match self.breaker(|breaker| breaker.permit(now.since_boot)) {
            Permit::Ask => Effort::MayAsk,
            Permit::DontAsk => Effort::LastWord,
        };
        if let Resolution::Answer(answer) =
            resolve(&self.known.load(), &asked, &now, effort, &self.cache)
        {
            return Some(answer);
        }
        self.revalidate().await;
        Some(self.last_word(&asked))
    }

    fn last_word(&self, asked: &Asked<'_>) -> Answer {
        match resolve(
            &self.known.load(),
            asked,
            &self.now(),
            Effort::LastWord,
            &self.cache,
        ) {
            Resolution::Answer(answer) => answer,
            Resolution::Revalidate => Answer::undecided(),
        }
    }

    /// Has the poller ask now; on a new connection where a question is on its way.
    pub fn poke(&self) {
        // A full channel means that somebody poked already.
        let _ = self.poke.try_send(());
    }

    /// Waits for the poller to try, for as long as a login can wait.
    async fn revalidate(&self) {
        let mut attempts = self.attempts.subscribe();
        self.poke();
        if tokio::time::timeout(LOGIN_WAIT, attempts.changed())
            .await
            .is_err()
        {
            // The poller is stuck in a long attempt; the next logins must not wait for it as well.
            let now = self.now().since_boot;
            let _pause = self.breaker(|breaker| breaker.failed(now, crate::random::jitter()));
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// How long a login waits for an attempt: the attempt's own deadline, and a little for judging what came.
const LOGIN_WAIT: Duration = Duration::from_secs(1);
