//! Receipts: which hosts have confirmed a write, and until when the others may go by what was before.
//!
//! The store says which hosts a write took something away on, and what other servers have heard; what this server hears
//! itself it knows at once. Whoever waits looks at the one when a host has said something, and at the other now and then.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use keyroster_api::ProblemKind;
use keyroster_api::receipt::{
    ConfirmedHost, DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S, MIN_TIMEOUT_S, PendingHost, Receipt, WaitFor,
    WaitQuery, Written,
};
use keyroster_api::snapshot::Tag;
use keyroster_roster::{Asks, Freshness, FreshnessMode, HostId, Revision, Timestamp};
use keyroster_store::{Action, Confirmation, HostReceipt, Object, Outcome, RECEIPT_S, StoreError};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{Answer, ApiError};
use crate::extract::Json;
use crate::later::{self, Later};
use crate::limits::{RECEIPT_BATCH, RECEIPT_BATCH_PER_HOST, RECEIPT_POLL};
use crate::parse;
use crate::recent_writes::{Heard, Since};

/// The answer to a write that can be waited for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum WrittenOrReceipt {
    /// Without `wait`.
    Written(Written),
    /// With `wait=confirmed`.
    Receipt(Receipt),
}

/// For how long a client would like to wait for a receipt, if at all.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// It is content with the revision.
    None,
    /// It waits for this long.
    Of(Duration),
}

/// Somebody who waits for hosts to confirm a write.
#[derive(Debug)]
pub struct ReceiptWait {
    /// The state of the roster that the write made.
    written: Tag,
    since: Since,
    until: Instant,
    confirmed: BTreeMap<HostId, ConfirmedHost>,
    /// `None` until the store has said which hosts the write concerns.
    pending: Option<BTreeMap<HostId, HostReceipt>>,
}

impl Patience {
    /// Reads the query. Before anything is written.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn read(query: WaitQuery) -> Answer<Self> {
        match (query.wait, query.timeout) {
            (None, None) => Ok(Self::None),
            (None, Some(_)) => Err(ApiError::invalid(
                "timeout",
                &"there is no \"wait\" with it",
            )),
            (Some(WaitFor::Confirmed), timeout) => {
                let seconds = timeout.unwrap_or(DEFAULT_TIMEOUT_S);
                if !(MIN_TIMEOUT_S..=MAX_TIMEOUT_S).contains(&seconds) {
                    let wanted = format!("{MIN_TIMEOUT_S} to {MAX_TIMEOUT_S} seconds are wanted");
                    return Err(ApiError::invalid("timeout", &wanted));
                }
                Ok(Self::Of(Duration::from_secs(seconds.into())))
            }
        }
    }

    /// Refuses to wait for a write that takes nothing away.
    ///
    /// # Errors
    /// When the client would like to.
    pub fn must_be_none(self) -> Answer<()> {
        match self {
            Self::None => Ok(()),
            Self::Of(_) => Err(ApiError::invalid(
                "wait",
                &"hosts confirm what is taken away, and this gives",
            )),
        }
    }

    /// The answer to a write. One that had been made before has the receipt of the write that did make it: whoever asks
    /// again has to know who is still out.
    ///
    /// # Errors
    /// When it can't be read which write that was.
    pub async fn answer(
        self,
        app: &App,
        outcome: Outcome,
        (action, object): (Action, Object),
    ) -> Answer<Response> {
        let mut response = Json(parse::written(outcome.state())).into_response();
        if let Self::Of(span) = self {
            let (written, since) = made(app, outcome, (action, &object)).await?;
            later::put(
                &mut response,
                Later::Receipt(ReceiptWait::new(written, since, span)),
            );
        }
        Ok(response)
    }
}

/// The write that made it so, and when that was.
async fn made(
    app: &App,
    outcome: Outcome,
    (action, object): (Action, &Object),
) -> Answer<(Tag, Since)> {
    let state = outcome.state();
    let mut written = Tag {
        epoch: state.epoch,
        revision: state.revision,
    };
    let mut at = app.now();
    match outcome {
        Outcome::Written(_) => app.recent_writes.note(written, Instant::now()),
        Outcome::Unchanged(_) => {
            let mut reader = app.store.read().await?;
            let done = reader.last_done(action, object).await?;
            written.revision = done.unwrap_or(written.revision);
            at = reader.written_at(written.revision).await?.unwrap_or(at);
        }
    }
    Ok((written, app.recent_writes.since(written, at)))
}

/// The receipt of a write that was made before.
///
/// # Errors
/// When there was no such write, or it can't be read.
pub async fn read(app: &App, revision: Revision, patience: Patience) -> Answer<Response> {
    let mut reader = app.store.read().await?;
    let state = reader.state().await?;
    let not_there = |why| Err(ApiError::refused(ProblemKind::NotFound, why));
    let at = match reader.written_at(revision).await? {
        None => return not_there(format!("there is no change with revision {revision}")),
        // An empty receipt would say that it concerned no host.
        Some(at) if at.saturating_add(RECEIPT_S) < app.now() => {
            return not_there(format!(
                "the receipt of revision {revision} is kept no longer"
            ));
        }
        Some(at) => at,
    };
    drop(reader);
    let written = Tag {
        epoch: state.epoch,
        revision,
    };
    let since = app.recent_writes.since(written, at);
    match patience {
        Patience::None => {
            let wait = ReceiptWait::new(written, since, Duration::ZERO);
            Ok(wait.answer(app).await?.into_response())
        }
        Patience::Of(span) => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            let wait = ReceiptWait::new(written, since, span);
            later::put(&mut response, Later::Receipt(wait));
            Ok(response)
        }
    }
}

impl ReceiptWait {
    fn new(written: Tag, since: Since, span: Duration) -> Self {
        Self {
            written,
            since,
            until: Instant::now() + span,
            confirmed: BTreeMap::new(),
            pending: None,
        }
    }

    /// Waits until every host has confirmed, the time is up, or the server stops.
    pub async fn wait(&mut self, app: &App) {
        let Ok(_place) = app.receipts.try_acquire() else {
            return;
        };
        let until = self.until;
        tokio::select! {
            () = app.waiting.stopped() => {}
            () = tokio::time::sleep_until(until) => {}
            () = self.settled(app, app.confirmations.follow()) => {}
        }
    }

    async fn settled(&mut self, app: &App, mut heard: watch::Receiver<()>) {
        loop {
            if let Err(error) = self.read(app).await {
                tracing::warn!(%error, "which hosts have confirmed a write can't be read");
            }
            let mut look_again = std::pin::pin!(tokio::time::sleep(RECEIPT_POLL));
            loop {
                heard.mark_unchanged();
                self.take(app);
                if self.is_settled(app) {
                    return;
                }
                let out = self.pending.as_ref().map_or(0, BTreeMap::len);
                let out = u32::try_from(out).unwrap_or(u32::MAX);
                let batch = RECEIPT_BATCH + RECEIPT_BATCH_PER_HOST.saturating_mul(out);
                tokio::select! {
                    () = look_again.as_mut() => break,
                    _ = heard.changed() => tokio::time::sleep(batch).await,
                }
            }
        }
    }

    /// Whether nobody is left to wait for. A host without the daemon asks when somebody logs in, which may be never.
    fn is_settled(&self, app: &App) -> bool {
        let mut pending = self.pending.iter().flat_map(BTreeMap::values);
        self.pending.is_some() && pending.all(|host| asks(app, host) == Asks::AtEachLogin)
    }

    /// The receipt, as of now.
    ///
    /// # Errors
    /// When it can't be read which hosts the write concerns.
    pub async fn answer(mut self, app: &App) -> Answer<Json<WrittenOrReceipt>> {
        if self
            .pending
            .as_ref()
            .is_none_or(|pending| !pending.is_empty())
            && let Err(error) = self.read(app).await
        {
            tracing::warn!(%error, "a receipt can't be read");
        }
        self.take(app);
        let pending = self.pending.ok_or(ApiError::Unavailable(
            "the change was made, but which hosts hold it can't be read",
        ))?;
        let (pending, each_login): (Vec<_>, Vec<_>) = pending
            .into_values()
            .partition(|host| asks(app, host) == Asks::AsDaemon);
        let still_out =
            |hosts: Vec<HostReceipt>| hosts.iter().map(|host| still_out(app, host)).collect();
        let receipt = Receipt::new(
            self.written.revision.get(),
            self.confirmed.into_values().collect(),
            still_out(pending),
            still_out(each_login),
        );
        Ok(Json(WrittenOrReceipt::Receipt(receipt)))
    }

    /// Reads what the store knows.
    async fn read(&mut self, app: &App) -> Result<(), StoreError> {
        let mut reader = app.store.read().await?;
        let hosts = reader.receipt(self.written.revision).await?;
        // The other server's clock is not ours: what it heard meanwhile counts from when it was seen here.
        let elsewhere = match self.pending {
            Some(_) => Heard::Meanwhile(Instant::now()),
            None => Heard::Before,
        };
        let mut pending = BTreeMap::new();
        for host in hosts {
            if self.confirmed.contains_key(&host.host) {
                continue;
            }
            let said = host.confirmed.map(|said| Tag {
                epoch: said.epoch,
                revision: said.revision,
            });
            if host.recorded_at.is_some() || said >= Some(self.written) {
                let held = app.confirmations.of(&host.host);
                let heard = match held.filter(|held| held.tag() >= self.written) {
                    Some(held) => Heard::Here(held.since),
                    None => elsewhere,
                };
                self.confirm(app, &host, heard);
            } else {
                pending.insert(host.host.clone(), host);
            }
        }
        self.pending = Some(pending);
        Ok(())
    }

    /// Takes what this server has heard.
    fn take(&mut self, app: &App) {
        let Some(mut pending) = self.pending.take() else {
            return;
        };
        let mut confirmed = Vec::new();
        pending.retain(|id, host| {
            let held = app.confirmations.of(id);
            let said = held.filter(|held| held.tag() >= self.written);
            confirmed.extend(said.map(|held| (host.clone(), held.since)));
            said.is_none()
        });
        self.pending = Some(pending);
        for (host, since) in confirmed {
            self.confirm(app, &host, Heard::Here(since));
        }
    }

    fn confirm(&mut self, app: &App, host: &HostReceipt, heard: Heard) {
        // Until it is recorded, the last moment at which the host was answered is near enough.
        let answered = app.confirmations.of(&host.host).map(|held| held.said.at);
        let recorded = host.recorded_at.or(answered).unwrap_or_else(|| app.now());
        let after = self.since.until(recorded, heard);
        let confirmed = ConfirmedHost {
            host: host.host.to_string(),
            name: host.name.to_string(),
            after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            confirmed_at: Some(recorded),
        };
        self.confirmed.insert(host.host.clone(), confirmed);
    }
}

fn still_out(app: &App, host: &HostReceipt) -> PendingHost {
    PendingHost {
        host: host.host.to_string(),
        name: host.name.to_string(),
        ends_by: said(app, host).map(|said| ends_by(said.at, host.freshness)),
    }
}

/// How a host asks, as far as is known; whoever never asked may be a daemon.
fn asks(app: &App, host: &HostReceipt) -> Asks {
    said(app, host).map_or(Asks::AsDaemon, |said| said.asks)
}

/// What a host has said, to this server or to another.
fn said(app: &App, host: &HostReceipt) -> Option<Confirmation> {
    let heard = app.confirmations.of(&host.host).map(|held| held.said);
    match (host.confirmed, heard) {
        (Some(saved), Some(heard)) => Some(saved.join(heard)),
        (saved, heard) => saved.or(heard),
    }
}

/// When a host that is out of reach gives its last answer by what it was told at `last`.
fn ends_by(last: Timestamp, freshness: Freshness) -> Timestamp {
    let bound = match freshness.mode() {
        FreshnessMode::Strict => freshness.max_staleness_s(),
        FreshnessMode::Grace => freshness.max_staleness_s().max(freshness.grace_s()),
    };
    // `last` has lost its fraction of a second.
    last.saturating_add(i64::from(bound)).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_ends_by_its_bound_and_never_earlier_than_it_may_be_fresh() {
        let last = Timestamp::from_unix(1000);
        for (mode, grace_s, end) in [
            (FreshnessMode::Strict, 3600, 1031),
            (FreshnessMode::Grace, 3600, 4601),
            (FreshnessMode::Grace, 0, 1031),
        ] {
            let freshness = Freshness::new(30, grace_s, mode).unwrap();
            assert_eq!(ends_by(last, freshness), Timestamp::from_unix(end));
        }
    }

    #[test]
    fn a_timeout_is_in_its_limits_and_belongs_to_a_wait() {
        let read = |wait, timeout| Patience::read(WaitQuery { wait, timeout }).ok();
        let confirmed = Some(WaitFor::Confirmed);
        let of = |seconds| Some(Patience::Of(Duration::from_secs(seconds)));
        assert_eq!(read(None, None), Some(Patience::None));
        assert_eq!(read(None, Some(5)), None);
        assert_eq!(read(confirmed, None), of(30));
        assert_eq!(read(confirmed, Some(120)), of(120));
        assert_eq!(read(confirmed, Some(0)), None);
        assert_eq!(read(confirmed, Some(121)), None);
    }
}
