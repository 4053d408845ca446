//! Keeps what is known on disk, as far as the disk lets it.
//!
//! Answers come from memory, so a disk that is full or read-only stops nobody's login; but it is said, in the log and by
//! `status`, and tried again at the next occasion.

use std::time::Duration;

use keyroster_roster::Freshness;

use crate::core::knowledge::Knowledge;
use crate::fetch::Form;
use crate::shared::Shared;
use crate::state::recall::Document;
use crate::state::{StateDir, journal, memory};

/// What has still to be written.
#[derive(Debug)]
pub struct Keeper {
    dir: StateDir,
    document: Option<Document>,
    due: Due,
    kept_at: Option<Duration>,
    form: Form,
}

/// How pressing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// The confirmation became younger and nothing else: now and then is enough.
    Sometime,
    /// Something changed, or the last writing failed.
    Now,
}

impl Keeper {
    /// One for this directory.
    #[must_use]
    pub fn new(dir: StateDir) -> Self {
        Self {
            form: form(&dir),
            dir,
            document: None,
            due: Due::Sometime,
            kept_at: None,
        }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &StateDir {
        &self.dir
    }

    /// In which form the next change can be kept.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// Takes the signed bytes of a snapshot or an update that was accepted.
    pub fn take(&mut self, document: Document) {
        self.document = Some(document);
        self.due = Due::Now;
    }

    /// Whether something was accepted that is not on disk yet.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.document.is_some()
    }

    /// Looks at what changed.
    pub fn changed(&mut self, before: &Knowledge, after: &Knowledge) {
        if before.refused != after.refused || before.confirmed.is_none() {
            self.due = Due::Now;
        }
    }

    /// Writes what is due; with `all`, whatever there is.
    pub async fn keep(&mut self, shared: &Shared, all: bool) {
        let (known, now) = (shared.known(), shared.now().since_boot);
        let rules = known
            .held
            .as_ref()
            .map_or_else(Freshness::default, |held| held.freshness());
        let rested = self
            .kept_at
            .is_none_or(|at| now.saturating_sub(at) >= rest(rules));
        if known.confirmed.is_none() || !(all || rested || self.due == Due::Now) {
            return;
        }
        let saved = match memory::lock(&self.dir).await {
            Ok(Some(lock)) => memory::save(&self.dir, &known, self.document.as_ref(), &lock),
            Ok(None) => return,
            Err(err) => Err(err),
        };
        match saved {
            Ok(()) => {
                if self.document.take().is_some() {
                    self.form = form(&self.dir);
                }
                self.due = Due::Sometime;
                self.kept_at = Some(now);
                if shared.health(|health| health.disk.take()).is_some() {
                    tracing::info!("the state directory can be written again");
                }
            }
            Err(err) => {
                self.due = Due::Now;
                let err = err.to_string();
                let before = shared.health(|health| health.disk.replace(err.clone()));
                if before.as_ref() != Some(&err) {
                    tracing::error!(error = err, "answers come from memory alone");
                }
            }
        }
    }
}

/// An update lengthens the journal, and a whole snapshot ends it.
fn form(dir: &StateDir) -> Form {
    match journal::is_full(dir) {
        true => Form::Whole,
        false => Form::Any,
    }
}

/// How long a confirmation that only became younger may stay unwritten. After a restart the age counts from what was written,
/// so this is taken off the grace: an eighth of it, and a minute at most, spares the disk a write for each poll.
fn rest(rules: Freshness) -> Duration {
    MAX_REST.min(Duration::from_secs(u64::from(rules.grace_s())) / REST_FRACTION)
}

/// The longest time between two writings of a confirmation.
const MAX_REST: Duration = Duration::from_secs(60);

/// Which part of the grace may be lost by a restart.
const REST_FRACTION: u32 = 8;
