//! The revocation journal: what was taken away, in a file outside of the database.
//!
//! A backup knows nothing of what was revoked after it was made. The journal does, and a restore ends all of that again. It is
//! written where writes are committed, and nowhere else, so that no verb can forget it; [`weight`] says for each action
//! what it is to the journal.
//!
//! What takes away is written down *before* it is committed: the journal knows all that anybody was told to be revoked. What
//! gives back is written down only once it *is* committed, from the audit log, as is everything that other key servers
//! wrote. So whatever is lost in between, the journal errs towards taking away. A journal that can't be written stops
//! nobody: to refuse a revocation because a disk is full would be worse. It says so, and catches up later.

pub(crate) mod feed;
mod file;
mod line;
mod record;
mod standing;
mod weight;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyroster_roster::{AuditEvent, Epoch, EventHash};
use thiserror::Error;
use tokio::sync::{Mutex, watch};

pub use feed::Told;
pub use record::{Damage, JournalRecord};
pub(crate) use standing::{Enrolled, MembershipWord, Memberships, Standing};
pub(crate) use weight::{Weight, When};

use file::{Found, JournalFile};
use line::{Certainty, Entry, Line, Place};

/// A revocation journal. Cheap to clone: all clones write to the same file.
#[derive(Debug, Clone)]
pub struct Journal {
    state: Arc<Mutex<State>>,
    health: Arc<watch::Sender<JournalHealth>>,
}

/// Whether the journal is being kept.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalHealth {
    /// Everything that has to be in it is on the disk, or will be in a moment.
    Kept,
    /// It can't be written: a restore would know nothing of what is taken away now.
    Behind(String),
}

/// The journal can't be read or written. No write to the roster is held up by it; tell the admin.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The operating system refused.
    #[error("can't {verb} the revocation journal \"{}\"", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// A line is not what it was, or lines are missing.
    #[error("the revocation journal \"{}\" is damaged at line {line}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first line that does not fit.
        line: u64,
    },
    /// The disk does not answer.
    #[error("the disk of the revocation journal does not answer")]
    Stuck,
}

/// What the process knows of the file.
#[derive(Debug)]
struct State {
    file: JournalFile,
    /// Every event up to here that belongs into the journal is in it.
    known: Place,
    /// Up to where a mark in the file says the same; `None` when the next chance to say so is to be taken.
    marked: Option<u64>,
    /// What else is in it, and while `anew` is set all that is in it.
    written: HashSet<(EventHash, Certainty)>,
    /// The audit log is read from its beginning.
    anew: bool,
    /// Where a damaged file was put.
    set_aside: Option<PathBuf>,
}

/// How far the audit log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Up to here, and there is more.
    Partly(Place),
    /// Up to its end, which is here.
    Wholly(Place),
}

impl Journal {
    /// The journal in this file, which is made when something is to be written. Nothing is read yet, so nothing can fail.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        let state = State {
            file: JournalFile::at(path.to_owned()),
            known: Place::START,
            marked: None,
            written: HashSet::new(),
            anew: false,
            set_aside: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            health: Arc::new(watch::Sender::new(JournalHealth::Kept)),
        }
    }

    /// Whether it is being kept, and word of each change of that.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<JournalHealth> {
        self.health.subscribe()
    }

    /// Writes down what is about to be committed. That it can't is told by [`Journal::health`]; the write goes on.
    pub(crate) async fn intend(&self, epoch: Epoch, event: &AuditEvent) {
        let entry = Entry {
            certainty: Certainty::Intent,
            epoch,
            event: event.clone(),
        };
        // Whatever came of it was told.
        let _ = self.work(|state| state.append(vec![entry], None)).await;
    }

    /// Up to where the audit log is in the journal.
    async fn known(&self) -> Result<Place, JournalError> {
        let known = |state: &mut State| {
            state.append(Vec::new(), None)?;
            Ok(state.known)
        };
        self.work(known).await
    }

    /// Writes down what was found in the audit log after what is known.
    async fn learn(&self, entries: Vec<Entry>, progress: Progress) -> Result<(), JournalError> {
        self.work(move |state| state.append(entries, Some(progress)))
            .await
    }

    async fn begin_anew(&self) -> Result<(), JournalError> {
        self.work(State::begin_anew).await
    }

    async fn take_set_aside(&self) -> Option<PathBuf> {
        self.state.lock().await.set_aside.take()
    }

    /// Does something with the file, on a thread that may wait for a disk.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let state = Arc::clone(&self.state);
        let worked = tokio::time::timeout(DISK_TIMEOUT, async {
            let mut state = state.lock_owned().await;
            tokio::task::spawn_blocking(move || work(&mut state)).await
        });
        let done = match worked.await {
            Ok(Ok(done)) => done,
            // A panic of ours in there is a failure to write like any other.
            Ok(Err(_)) | Err(_) => Err(JournalError::Stuck),
        };
        self.health.send_if_modified(|health| {
            let now = match &done {
                Ok(_) => JournalHealth::Kept,
                Err(error) => JournalHealth::Behind(error.with_source()),
            };
            let changed = *health != now;
            *health = now;
            changed
        });
        done
    }
}

impl State {
    /// Writes events down that are not in the file yet, and takes note of how far the audit log was read.
    fn append(
        &mut self,
        entries: Vec<Entry>,
        progress: Option<Progress>,
    ) -> Result<(), JournalError> {
        let mut file = std::mem::replace(&mut self.file, JournalFile::at(PathBuf::new()));
        let (mut added, mut progress, mut marked) = (Vec::new(), progress, None);
        let done = file.append(|found| {
            if found.is_another {
                // What was read was meant to follow what the file before had.
                progress = None;
            }
            self.take(found);
            let fresh = |entry: &Entry| !self.has(entry);
            added.extend(entries.into_iter().filter(fresh).map(Line::Event));
            marked = progress.and_then(|progress| self.due_mark(progress, &added));
            added
                .iter()
                .cloned()
                .chain(marked.map(Line::Mark))
                .collect()
        });
        self.file = file;
        done?;
        self.written.extend(added.iter().filter_map(key));
        match progress {
            Some(Progress::Partly(place)) => self.known = place,
            Some(Progress::Wholly(place)) => (self.known, self.anew) = (place, false),
            None => {}
        }
        if let Some(place) = marked {
            self.marked = Some(place.head.sequence);
            self.written.clear();
        }
        Ok(())
    }

    /// Reads the file and the audit log from their beginnings: the audit log is not the one that the file was written from.
    fn begin_anew(&mut self) -> Result<(), JournalError> {
        self.file.forget();
        self.anew = true;
        self.append(Vec::new(), None)?;
        (self.known, self.marked) = (Place::START, None);
        Ok(())
    }

    /// Takes note of what stood in the file.
    fn take(&mut self, found: Found) {
        if found.is_another {
            (self.known, self.marked) = (Place::START, None);
            self.written.clear();
        }
        if found.set_aside.is_some() {
            self.set_aside = found.set_aside;
        }
        for line in found.lines {
            self.written.extend(key(&line));
            if let Line::Mark(place) = line {
                (self.known, self.marked) = (place, Some(place.head.sequence));
                if !self.anew {
                    self.written.clear();
                }
            }
        }
    }

    /// Whether an event needs not be written again. What may have given back must be there as something that was done.
    fn has(&self, entry: &Entry) -> bool {
        let has = |certainty| self.written.contains(&(entry.event.hash, certainty));
        let intent_is_enough = entry.certainty == Certainty::Intent
            || feed::weight(&entry.event).after() != When::Always;
        has(Certainty::Done) || (intent_is_enough && has(Certainty::Intent))
    }

    /// The mark that is due: after whatever was written, so that it is known to have been committed, and once in a while.
    fn due_mark(&self, progress: Progress, added: &[Line]) -> Option<Place> {
        let Progress::Wholly(place) = progress else {
            return None;
        };
        let is_far = |marked| place.head.sequence.abs_diff(marked) >= MARK_EVENTS;
        let is_due = self.marked.is_none_or(is_far);
        let is_new = !(added.is_empty() && self.written.is_empty());
        (is_due || is_new).then_some(place)
    }
}

fn key(line: &Line) -> Option<(EventHash, Certainty)> {
    match line {
        Line::Event(entry) => Some((entry.event.hash, entry.certainty)),
        Line::Mark(_) => None,
    }
}

impl JournalError {
    pub(crate) fn io(verb: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io {
            verb,
            path: path.to_owned(),
            error,
        }
    }

    /// The message with that of what caused it.
    fn with_source(&self) -> String {
        match self {
            Self::Io { error, .. } => format!("{self}: {error}"),
            other => other.to_string(),
        }
    }
}

/// How long a write waits for the journal's disk, at most.
const DISK_TIMEOUT: Duration = Duration::from_secs(2);

/// Events of the audit log that are looked at again after a restart, at most, besides those that nobody marked.
const MARK_EVENTS: u64 = 1_000;

#[cfg(test)]
mod tests;
