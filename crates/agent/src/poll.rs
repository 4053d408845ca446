//! The poller: asks the key server at intervals, and at once when a login pokes it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::Config;
use crate::core::knowledge::{Knowledge, Outcome};
use crate::core::moment::Moment;
use crate::fetch::{Ask, BACKGROUND_TIMEOUT, Fetched, Fetcher, LOGIN_TIMEOUT};
use crate::keeper::Keeper;
use crate::random::jitter;
use crate::renew;
use crate::shared::Shared;
use crate::state::{Credential, StateDir};

/// Everything that the poller needs.
#[derive(Debug)]
pub struct Poller {
    shared: Arc<Shared>,
    config: Config,
    credential: Credential,
    fetcher: Fetcher,
    keeper: Keeper,
    renewal: renew::Schedule,
}

/// Why the poller asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Interval,
    Login,
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
        let fetcher = Fetcher::new(&credential, config.server.as_deref())?;
        let keeper = Keeper::new(dir);
        tell_lifetime(&shared, &credential);
        Ok(Self {
            shared,
            config,
            credential,
            fetcher,
            keeper,
            renewal: renew::Schedule::default(),
        })
    }

    /// Asks once, with a login's patience: what the daemon does before it says that it is ready.
    pub async fn first(&mut self) {
        self.attempt(Cause::Login).await;
    }

    /// Asks again and again. It never returns; drop it to end it, then call [`Poller::finish`].
    pub async fn run(&mut self, poked: &mut mpsc::Receiver<()>) {
        let mut pause = spread(self.config.poll_interval());
        loop {
            let cause = tokio::select! {
                () = tokio::time::sleep(pause) => Cause::Interval,
                Some(()) = poked.recv() => Cause::Login,
            };
            pause = self.attempt(cause).await;
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

    /// One attempt; returns the pause until the next.
    async fn attempt(&mut self, cause: Cause) -> Duration {
        let sent = self.shared.now();
        let known = self.shared.known();
        let fetched = self.fetcher.fetch(ask(&known, &sent, cause)).await;
        let pause = self.learn(&known, fetched, &sent);
        self.shared.attempt_ended();
        self.keeper.keep(&self.shared, false).await;
        pause
    }

    fn learn(&mut self, known: &Knowledge, fetched: Fetched, sent: &Moment) -> Duration {
        let Fetched { outcome, document } = fetched;
        self.shared.learn(known.after(&outcome, sent));
        report(known, &outcome);
        if let Outcome::Failed(failure) = &outcome {
            let failure = failure.to_string();
            self.shared.health(|health| health.fetch = Some(failure));
            // A connection that is stuck would be stuck for the next attempt as well.
            if let Ok(fetcher) = Fetcher::new(&self.credential, self.config.server.as_deref()) {
                self.fetcher = fetcher;
            }
            let now = self.shared.now().since_boot;
            return self.shared.breaker(|breaker| breaker.failed(now, jitter()));
        }
        if let Some(document) = document {
            self.keeper.take(document);
        }
        self.keeper.changed(known, &self.shared.known());
        self.shared.breaker(|breaker| breaker.succeeded());
        self.shared.health(|health| health.fetch = None);
        match outcome {
            Outcome::Refused { .. } => spread(self.config.poll_interval().max(REFUSED_INTERVAL)),
            _ => spread(self.config.poll_interval()),
        }
    }

    async fn renew(&mut self) {
        let now = self.shared.now();
        let renewed = renew::renew(&self.fetcher, &self.credential).await;
        let renewed = renewed.and_then(|credential| {
            credential.save(self.keeper.dir())?;
            let fetcher = Fetcher::new(&credential, self.config.server.as_deref())?;
            Ok((credential, fetcher))
        });
        match renewed {
            Ok((credential, fetcher)) => {
                tracing::info!("the host's certificate was renewed");
                (self.credential, self.fetcher) = (credential, fetcher);
                tell_lifetime(&self.shared, &self.credential);
                self.renewal.succeeded();
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

fn ask(known: &Knowledge, sent: &Moment, cause: Cause) -> Ask {
    let total = match cause {
        Cause::Interval => BACKGROUND_TIMEOUT,
        Cause::Login => LOGIN_TIMEOUT,
    };
    let held = known.held.as_ref().map(|held| held.tag());
    Ask {
        held,
        seen: known.seen,
        total,
        wall_s: sent.wall_s(),
    }
}

fn tell_lifetime(shared: &Shared, credential: &Credential) {
    let until_s = credential.lifetime().map(|lifetime| lifetime.until_s);
    shared.health(|health| health.certificate_until_s = until_s);
}

/// Changes are told once, and failures each time: they come with growing pauses.
fn report(before: &Knowledge, outcome: &Outcome) {
    match outcome {
        Outcome::Accepted { held, .. } => {
            let tag = held.tag();
            tracing::info!(
                epoch = tag.epoch.get(),
                revision = tag.revision.get(),
                "new snapshot"
            );
        }
        Outcome::NotModified { .. } if before.refused.is_some() => {
            tracing::warn!("the key server accepts this host again");
        }
        Outcome::NotModified { .. } => {}
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

/// Between three quarters of the interval and all of it, so that hosts that started together don't ask together.
fn spread(interval: Duration) -> Duration {
    interval.mul_f64(0.75 + 0.25 * f64::from(jitter()) / f64::from(u16::MAX))
}

/// How often a host asks that is out: it may have been let in again.
const REFUSED_INTERVAL: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
