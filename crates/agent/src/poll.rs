//! The poller: asks the key server again and again, lets it hold the question, and asks at once when a login pokes it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::alert;
use crate::config::Config;
use crate::core::knowledge::{Knowledge, Outcome};
use crate::core::moment::Moment;
use crate::core::pace::{Answered, Next, next, wait};
use crate::fetch::{Ask, BACKGROUND_TIMEOUT, Fetched, Fetcher, LOGIN_TIMEOUT};
use crate::keeper::Keeper;
use crate::random::jitter;
use crate::renew;
use crate::shared::Shared;
use crate::state::{Credential, StateDir};
use crate::trust;

/// Everything that the poller needs.
#[derive(Debug)]
pub struct Poller {
    shared: Arc<Shared>,
    config: Config,
    credential: Credential,
    fetcher: Arc<Fetcher>,
    /// The same, for others that ask over its connection.
    fetchers: watch::Sender<Arc<Fetcher>>,
    keeper: Keeper,
    renewal: renew::Schedule,
    /// Until the next question.
    pause: Duration,
}

/// Why the poller asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Interval,
    Login,
}

/// What became of an exchange of the snapshot key or the CA.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Followed {
    /// The host goes by others now.
    NewKeys,
    /// There was none, or it could not be followed yet.
    Nothing,
}

/// A question on its way.
#[derive(Debug)]
struct Asked {
    ask: Ask,
    /// By the clocks that ages are measured with.
    sent: Moment,
    /// By the runtime's clock, for how long it took.
    started: Instant,
}

/// When to ask again.
#[derive(Debug, Clone, Copy)]
enum Pause {
    /// Whatever the answer took.
    Fixed(Duration),
    /// As the answer's pace has it.
    Open,
}

impl Poller {
    /// A poller for an enrolled host.
    ///
    /// # Errors
    /// When the credential can't be used.
    pub fn new(
        shared: Arc<Shared>,
        config: Config,
        credential: Credential,
        dir: StateDir,
    ) -> Result<Self, keyroster_edge::ClientError> {
        let fetcher = Arc::new(Fetcher::new(&credential, config.server.as_deref())?);
        let keeper = Keeper::new(dir);
        tell_lifetime(&shared, &credential);
        let poll_interval = config.poll_interval();
        Ok(Self {
            shared,
            config,
            credential,
            fetchers: watch::Sender::new(Arc::clone(&fetcher)),
            fetcher,
            keeper,
            renewal: renew::Schedule::default(),
            pause: spread(poll_interval),
        })
    }

    /// The connection to the key server, whenever it is another one. Whoever asks beside the poller takes the newest for each
    /// question: with the certificate before the newest it would soon be taken for a thief.
    #[must_use]
    pub fn fetchers(&self) -> watch::Receiver<Arc<Fetcher>> {
        self.fetchers.subscribe()
    }

    fn connect(&mut self, fetcher: Fetcher) {
        self.fetcher = Arc::new(fetcher);
        self.fetchers.send_replace(Arc::clone(&self.fetcher));
    }

    /// Asks once, with a login's patience: what the daemon does before it says that it is ready.
    pub async fn first(&mut self) {
        self.attempt(Cause::Login).await;
    }

    /// Asks again and again. It never returns; drop it to end it, then call [`Poller::finish`].
    pub async fn run(&mut self, poked: &mut mpsc::Receiver<()>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.pause) => self.wait(poked).await,
                Some(()) = poked.recv() => self.attempt(Cause::Login).await,
            };
            // Whoever poked while this attempt ran has been told of its end.
            while poked.try_recv().is_ok() {}
            if self.renewal.is_due(&self.credential, &self.shared.now()) {
                self.renew().await;
            }
        }
    }

    /// Keeps what has not been kept yet.
    pub async fn finish(&mut self) {
        self.keeper.keep(&self.shared, true).await;
    }

    /// One attempt; once more where the answer is signed by a key that the host had still to learn of.
    async fn attempt(&mut self, cause: Cause) {
        let asked = self.asked(cause);
        let mut fetched = self.fetcher.fetch(asked.ask.clone()).await;
        if self.follow_keys(asked.ask.total).await == Followed::NewKeys
            && matches!(fetched.outcome, Outcome::Failed(_))
        {
            fetched = self.fetcher.fetch(asked.ask.clone()).await;
        }
        self.conclude(asked, fetched).await;
    }

    /// Goes by the key server's newest snapshot keys and CAs, where they are others.
    async fn follow_keys(&mut self, total: Duration) -> Followed {
        let known = self.shared.known();
        let sent = self.shared.now();
        let from = (self.fetcher.as_ref(), &self.credential);
        let server = self.config.server.as_deref();
        let Some(new) = trust::follow(from, server, &known, total).await else {
            return Followed::Nothing;
        };
        if let Some(Fetched { outcome, document }) = new.snapshot {
            self.shared.learn(known.after(&outcome, &sent));
            document
                .into_iter()
                .for_each(|document| self.keeper.take(document));
            self.keeper.keep(&self.shared, true).await;
            if self.keeper.owes() {
                return Followed::Nothing;
            }
        }
        if let Err(err) = new.credential.save(self.keeper.dir()) {
            tracing::error!(error = %err, "the key server's new set of keys can't be kept");
            return Followed::Nothing;
        }
        tracing::info!(
            serial = new.credential.host.keys_serial,
            "the key server's snapshot keys or CAs are others now"
        );
        self.credential = new.credential;
        self.connect(new.fetcher);
        Followed::NewKeys
    }

    /// One question that the key server may hold. A login can't wait for its end, so it asks beside it: if that succeeds, the
    /// question has been answered; if not, it goes on, since it may be a large snapshot over a slow line.
    async fn wait(&mut self, poked: &mut mpsc::Receiver<()>) {
        let asked = self.asked(Cause::Interval);
        if let Some(held) = asked.ask.held.clone().filter(|held| !held.is_prepared()) {
            // While nothing happens: the first change on a large host is not to wait for it.
            tokio::task::spawn_blocking(move || held.prepare());
        }
        let fetcher = Arc::clone(&self.fetcher);
        let mut answer = std::pin::pin!(fetcher.fetch(asked.ask.clone()));
        loop {
            tokio::select! {
                fetched = &mut answer => {
                    let failed = matches!(fetched.outcome, Outcome::Failed(_));
                    if self.follow_keys(BACKGROUND_TIMEOUT).await == Followed::NewKeys && failed {
                        return self.attempt(Cause::Interval).await;
                    }
                    return self.conclude(asked, fetched).await;
                }
                Some(()) = poked.recv(), if asked.ask.wait.is_some() => {}
            }
            // Nothing is fresh although a question is on its way: its connection may be the reason.
            self.reconnect();
            self.attempt(Cause::Login).await;
            while poked.try_recv().is_ok() {}
            if self.shared.health(|health| health.fetch.is_none()) {
                return;
            }
        }
    }

    fn asked(&self, cause: Cause) -> Asked {
        let known = self.shared.known();
        let rules = known.held.as_ref().map(|held| held.freshness());
        let sent = self.shared.now();
        let wait = match (cause, self.keeper.owes()) {
            (Cause::Interval, false) => rules.and_then(|rules| wait(self.config.wait(), rules)),
            _ => None,
        };
        // A renewal that the key server asks for is not to wait for the end of a question.
        let wait = wait.map(|wait| match self.renewal.until_asked(&sent) {
            Some(left) => wait.min(left.max(MIN_WAIT)),
            None => wait,
        });
        let total = match cause {
            Cause::Interval => BACKGROUND_TIMEOUT + wait.unwrap_or_default(),
            Cause::Login => LOGIN_TIMEOUT,
        };
        let ask = Ask {
            // What is named here counts as kept; the key server tells others so.
            held: known.held.clone().filter(|_| !self.keeper.owes()),
            form: self.keeper.form(),
            seen: known.seen,
            wait,
            total,
        };
        Asked {
            ask,
            sent,
            started: Instant::now(),
        }
    }

    /// Learns what came of a question, tells the logins, keeps it, and decides when to ask again.
    async fn conclude(&mut self, asked: Asked, fetched: Fetched) {
        let took = asked.started.elapsed();
        let within = self.fetcher.renew_within();
        self.renewal.hear(within, &self.shared.now(), jitter());
        let before = self.shared.known();
        let pause = self.learn(&before, fetched, &asked);
        self.shared.attempt_ended();
        self.keeper.keep(&self.shared, false).await;
        let tag = |known: &Knowledge| known.held.as_ref().map(|held| held.tag());
        self.pause = match pause {
            Pause::Fixed(pause) => pause,
            Pause::Open if self.config.wait().is_zero() => spread(self.config.poll_interval()),
            Pause::Open => {
                let answered = Answered {
                    wait: asked.ask.wait,
                    took,
                    news: tag(&before) != tag(&self.shared.known()),
                    kept: !self.keeper.owes(),
                };
                match next(answered) {
                    Next::AtOnce => Duration::ZERO,
                    Next::AfterInterval => spread(self.config.poll_interval()),
                }
            }
        };
    }

    fn learn(&mut self, known: &Knowledge, fetched: Fetched, asked: &Asked) -> Pause {
        let Fetched { outcome, document } = fetched;
        self.shared.learn(known.after(&outcome, &asked.sent));
        report(known, &outcome);
        alert::watch(&self.shared, &outcome);
        if let Outcome::Failed(failure) = &outcome {
            let failure = failure.to_string();
            self.shared.health(|health| health.fetch = Some(failure));
            // A connection that is stuck would be stuck for the next attempt as well.
            self.reconnect();
            let now = self.shared.now().since_boot;
            let pause = self.shared.breaker(|breaker| match asked.ask.wait {
                Some(_) => breaker.lost(now, jitter()),
                None => breaker.failed(now, jitter()),
            });
            return Pause::Fixed(pause);
        }
        if let Some(document) = document {
            self.keeper.take(document);
        }
        self.keeper.changed(known, &self.shared.known());
        self.shared.breaker(|breaker| breaker.succeeded());
        self.shared.health(|health| health.fetch = None);
        match outcome {
            Outcome::Refused { .. } => {
                Pause::Fixed(spread(self.config.poll_interval().max(REFUSED_INTERVAL)))
            }
            _ => Pause::Open,
        }
    }

    fn reconnect(&mut self) {
        if let Ok(fetcher) = Fetcher::new(&self.credential, self.config.server.as_deref()) {
            self.connect(fetcher);
        }
    }

    async fn renew(&mut self) {
        let now = self.shared.now();
        let renewed = renew::renew(&self.fetcher, &self.credential, renew::RENEWAL_TIMEOUT).await;
        let renewed = renewed.and_then(|credential| {
            credential.save(self.keeper.dir())?;
            let fetcher = Fetcher::new(&credential, self.config.server.as_deref())?;
            Ok((credential, fetcher))
        });
        match renewed {
            Ok((credential, fetcher)) => {
                tracing::info!("the host's certificate was renewed");
                self.credential = credential;
                self.connect(fetcher);
                tell_lifetime(&self.shared, &self.credential);
                self.renewal.succeeded(&now);
                self.shared.health(|health| health.renewal = None);
            }
            Err(err) => {
                tracing::warn!(error = %err, "the host's certificate can't be renewed");
                self.renewal.failed(&now);
                self.shared
                    .health(|health| health.renewal = Some(err.to_string()));
            }
        }
    }
}

fn tell_lifetime(shared: &Shared, credential: &Credential) {
    let until_s = credential.lifetime().map(|lifetime| lifetime.until_s);
    shared.health(|health| health.certificate_until_s = until_s);
}

/// Changes are told once, and failures each time: they come with growing pauses.
fn report(before: &Knowledge, outcome: &Outcome) {
    match outcome {
        Outcome::Accepted { held, .. }
            if before.held.as_ref().map(|before| before.tag()) != Some(held.tag()) =>
        {
            let tag = held.tag();
            tracing::info!(
                epoch = tag.epoch.get(),
                revision = tag.revision.get(),
                "new snapshot"
            );
        }
        Outcome::Accepted { .. } | Outcome::NotModified { .. } if before.refused.is_some() => {
            tracing::warn!("the key server accepts this host again");
        }
        Outcome::Accepted { .. } | Outcome::NotModified { .. } => {}
        Outcome::Refused { status } if before.refused != Some(*status) => {
            tracing::error!(
                status,
                "the key server refuses this host; every login is answered none"
            );
        }
        Outcome::Refused { .. } => {}
        Outcome::Failed(failure) => {
            tracing::warn!(error = %failure, "the key server decided nothing")
        }
    }
}

/// Between half of the interval and all of it, so that hosts that started together, or were sent away together, don't ask
/// together.
pub(crate) fn spread(interval: Duration) -> Duration {
    interval.mul_f64(0.5 + 0.5 * f64::from(jitter()) / f64::from(u16::MAX))
}

/// The shortest time for which a question is held that a renewal shortens.
const MIN_WAIT: Duration = Duration::from_secs(1);

/// How often a host asks that is out: it may have been let in again.
const REFUSED_INTERVAL: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
