//! What happened on this host, told to the key server.
//!
//! Reports are files that a root program leaves behind ([`keyroster_wire::Report`]): the directory *is* the queue. A file goes when the
//! key server has said that it is written, and not before, so nothing is lost when anybody in between ends at any moment; a
//! report that is told twice is one event, by its id.
//!
//! It is a task of its own beside the poller: no login and no question to the key server waits for it.

mod pace;
mod spool;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use keyroster_api::Timestamp;
use keyroster_api::host_report::{HostReportBody, HostReports, MAX_REPORTS};
use keyroster_api::paths::HOST_REPORTS;
use keyroster_edge::FetchError;
use keyroster_keys::{AccountName, Fingerprint};
use keyroster_wire::{Report, ReportId};
use tokio::sync::watch;

use crate::break_glass::verbs::BreakGlassError;
use crate::config::Config;
use crate::error::AgentError;
use crate::fetch::{Fetcher, describe};
use crate::random::jitter;
use crate::reports::pace::{Failed, LOOK_INTERVAL, Over, Pace, SEND_TIMEOUT};
use crate::shared::Shared;
use crate::state::{Credential, StateDir};

use spool::Removal;
pub use spool::Spools;

/// Tells what lies in the spools.
#[derive(Debug)]
pub struct Reporter {
    spools: Arc<Spools>,
    /// Those that the key server does not take. They stay where they are, and are tried again by the next process.
    refused: BTreeSet<ReportId>,
    /// Those that the key server has, and that can't be removed: they are not told again and again.
    told: BTreeSet<ReportId>,
    /// How many there are, as far as was seen last.
    waiting: usize,
}

/// What came of telling.
#[must_use]
#[derive(Debug)]
pub enum Told {
    /// There was nothing to tell.
    Nothing,
    /// So many were told.
    Some(usize),
    /// The key server did not take them, and they are kept.
    Failed(Failed, String),
}

impl Reporter {
    /// For the spools of these settings.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let spools = Spools::at(&config.reports_run_dir, &config.reports_dir);
        Self {
            spools: Arc::new(spools),
            refused: BTreeSet::new(),
            told: BTreeSet::new(),
            waiting: 0,
        }
    }

    /// Tells whatever comes. It never returns; drop it to end it.
    pub async fn run(mut self, shared: Arc<Shared>, fetchers: watch::Receiver<Arc<Fetcher>>) {
        let mut pace = Pace::default();
        loop {
            // The newest for each request: with the certificate before the newest this host would be taken for a thief.
            let newest = Arc::clone(&fetchers.borrow());
            let fetcher = match pace.over() {
                Over::Shared => newest,
                Over::Anew => newest.anew().map_or(newest, Arc::new),
            };
            let told = self.tell(&fetcher).await;
            let waiting = Some(self.waiting).filter(|waiting| *waiting > 0);
            shared.health(|health| health.reports = waiting);
            match told {
                Told::Nothing => {
                    pace.succeeded();
                    tokio::time::sleep(LOOK_INTERVAL).await;
                }
                Told::Some(count) => {
                    pace.succeeded();
                    tracing::info!(count, "the key server knows what happened on this host");
                }
                Told::Failed(failed, why) => {
                    let pause = pace.failed(failed, jitter());
                    tracing::warn!(error = %why, pause_ms = pause.as_millis(), "the key server does not know what happened on this host");
                    if failed == Failed::Transport && shared.health(|health| health.fetch.is_none())
                    {
                        // The poller waits on the same connection, and may not have noticed that nobody is at its other end.
                        shared.poke();
                    }
                    wait(&shared, failed, pause).await;
                }
            }
        }
    }

    /// Tells all that there is now. What the key server never takes stays.
    ///
    /// # Errors
    /// When the key server did not take something.
    async fn tell_all(mut self, fetcher: &Fetcher) -> Result<usize, String> {
        let mut count = 0_usize;
        loop {
            match self.tell(fetcher).await {
                Told::Nothing if self.refused.is_empty() => return Ok(count),
                Told::Nothing => {
                    return Err(format!("it does not take {} of them", self.refused.len()));
                }
                Told::Some(more) => count = count.saturating_add(more),
                Told::Failed(_, why) => return Err(why),
            }
        }
    }

    /// Tells what there is now, as much as fits into one request.
    pub async fn tell(&mut self, fetcher: &Fetcher) -> Told {
        self.told
            .retain(|id| self.spools.remove(*id) == Removal::Failed);
        let spools = Arc::clone(&self.spools);
        let read = tokio::task::spawn_blocking(move || {
            spools.settle();
            spools.read()
        });
        let mut reports = match read.await {
            Ok(reports) => reports,
            Err(err) => return Told::Failed(Failed::Transport, err.to_string()),
        };
        reports.retain(|report| !self.told.contains(&report.id));
        self.waiting = reports.len();
        reports.retain(|report| !self.refused.contains(&report.id));
        reports.truncate(MAX_REPORTS);
        if reports.is_empty() {
            return Told::Nothing;
        }
        match send(fetcher, &reports).await {
            Ok(()) => self.done(&reports),
            Err(FetchError::Status(status)) if UNREADABLE.contains(&status.as_u16()) => {
                self.tell_one_by_one(fetcher, &reports).await
            }
            Err(err) => failed(&err),
        }
    }

    /// One that is refused must not keep the others back.
    async fn tell_one_by_one(&mut self, fetcher: &Fetcher, reports: &[Report]) -> Told {
        for report in reports {
            match send(fetcher, std::slice::from_ref(report)).await {
                Ok(()) => drop(self.done(std::slice::from_ref(report))),
                Err(FetchError::Status(status)) if UNREADABLE.contains(&status.as_u16()) => {
                    tracing::error!(report = %report.id, %status, "the key server does not take a report; it stays in the spool");
                    self.refused.insert(report.id);
                }
                Err(err) => return failed(&err),
            }
        }
        Told::Some(reports.len())
    }

    fn done(&mut self, reports: &[Report]) -> Told {
        self.waiting = self.waiting.saturating_sub(reports.len());
        for report in reports {
            if self.spools.remove(report.id) == Removal::Failed {
                tracing::error!(report = %report.id, "a report that was told can't be removed");
                self.told.insert(report.id);
            }
        }
        Told::Some(reports.len())
    }
}

/// Tells all that there is now, on a host without the daemon.
///
/// # Errors
/// When the host is not enrolled, or the key server did not take something.
pub fn tell_now(config: &Config) -> Result<(), AgentError> {
    let dir = StateDir::open(&config.state_dir)?;
    let credential = Credential::load(&dir)?.ok_or(AgentError::NotEnrolled)?;
    let fetcher = Fetcher::new(&credential, config.server.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|err| AgentError::Internal(err.to_string()))?;
    let told = runtime.block_on(Reporter::new(config).tell_all(&fetcher));
    runtime.shutdown_background();
    told.map(drop)
        .map_err(|why| BreakGlassError::NotTold(why).into())
}

/// Waits for the pause to end; or, where the key server was out of reach, for the poller to reach it.
async fn wait(shared: &Shared, failed: Failed, pause: Duration) {
    let mut attempts = shared.attempts();
    let reached = async {
        loop {
            if failed != Failed::Transport || attempts.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if shared.health(|health| health.fetch.is_none()) {
                return;
            }
        }
    };
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = reached => {}
    }
}

async fn send(fetcher: &Fetcher, reports: &[Report]) -> Result<(), FetchError> {
    let body = HostReports {
        reports: reports.iter().map(body).collect(),
    };
    let request = fetcher.post(HOST_REPORTS).json(&body).timeout(SEND_TIMEOUT);
    fetcher.send(request, MAX_ANSWER_BYTES).await?.success()?;
    Ok(())
}

fn body(report: &Report) -> HostReportBody {
    HostReportBody {
        id: report.id.to_string(),
        kind: report.kind.as_str().to_owned(),
        account: report.account.clone(),
        fingerprint: report.key.clone(),
        at: Timestamp::from_unix(report.at_s),
    }
}

fn failed(err: &FetchError) -> Told {
    let how = match err {
        FetchError::Transport { .. } => Failed::Transport,
        FetchError::Status(status) if status.is_server_error() => Failed::Transport,
        FetchError::Status(_) => Failed::Refused,
    };
    Told::Failed(how, describe(err))
}

/// Whether a report is one that the key server can know what to do with.
fn is_sound(report: &Report) -> bool {
    AccountName::parse(&report.account).is_ok() && Fingerprint::parse(&report.key).is_ok()
}

/// Bytes of an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The statuses of a request that will never be taken as it is.
const UNREADABLE: [u16; 3] = [400, 413, 422];

#[cfg(test)]
mod tests;
