//! Signs that the roster went back: hosts, or the revocation journal, that know of more than it does.
//!
//! It happens when a database is put back without `keyroster-server restore`. The journal proves it, and then nothing is served any more: what was
//! revoked is alive again in there. Where no journal is left there are the hosts. They refuse to follow, each by itself; here is the one
//! place where somebody can see it for all of them. All count in a metric; the log has one in a while, since every host comes again and again.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use keyroster_api::snapshot::Tag;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::app::App;
use crate::caller::Caller;

/// What is known of it.
#[derive(Debug, Default)]
pub struct WentBack {
    told: Mutex<Option<Instant>>,
    proven: Notify,
}

impl WentBack {
    /// What is said when it is proven.
    pub const SAID: &str = "the revocation journal knows of more than the roster: \
        a backup was put in place without `keyroster-server restore`, or another roster";
    /// What can be done then.
    pub const HINT: &str = "`keyroster-server restore` without --from ends again what was revoked since; \
        a roster that is a new one needs a journal of its own: move the old one away";

    /// Looks into it that a host holds a snapshot that is newer than the roster, as far as that is known here. Another key server may have
    /// written a moment ago, so the database is asked.
    pub async fn suspect(&self, app: &App, caller: &Caller, held: Option<Tag>) {
        let Ok(state) = app.store.state().await else {
            return;
        };
        let at = Tag {
            epoch: state.epoch,
            revision: state.revision,
        };
        if held > Some(at) {
            self.tell(app, caller, "a host holds a newer snapshot than the roster");
        }
    }

    /// Tells of a sign.
    pub fn tell(&self, app: &App, caller: &Caller, sign: &str) {
        app.metrics.went_back.increment(1);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= PAUSE) {
            *told = Some(Instant::now());
            tracing::error!(
                host = %caller.host,
                "{sign}: the roster went back; was a backup put in place without `keyroster-server restore`?"
            );
        }
    }

    /// The journal knows of more than the roster.
    pub fn prove(&self, app: &App) {
        app.metrics.went_back.increment(1);
        self.proven.notify_one();
    }

    /// Waits until it is proven. One may wait.
    pub async fn proven(&self) {
        self.proven.notified().await;
    }
}

/// Between two lines in the log.
const PAUSE: Duration = Duration::from_secs(60);
