//! From the audit log into the journal: what was committed, by this key server or another.

use std::path::PathBuf;

use keyroster_roster::{AuditEvent, Epoch};
use serde_json::Value as Json;

use crate::StoreError;
use crate::action::Action;
use crate::audit::EventRow;
use crate::db::{statements, values};
use crate::journal::line::{Certainty, Entry, Place};
use crate::journal::{Journal, Progress, Weight, When};
use crate::read::Reader;
use crate::store::Store;

/// What telling the journal came to.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It has everything that was committed before.
    Everything {
        /// It was damaged, and a new one was begun: where the old one was put.
        set_aside: Option<PathBuf>,
    },
    /// It can't be written; [`Journal::health`] says why.
    NotNow,
    /// It knows of more than the roster does, and nobody restored the roster: a backup was put in its place, or another roster.
    /// Nothing was written.
    WentBack,
}

statements! {
    RELEVANT = RELEVANT_SQL;
    AT = "select sequence, revision, occurred_at, actor, action, object, detail, previous_hash, hash \
        from audit_events where sequence = $1";
}

/// What is after a place in the audit log.
enum News {
    Entries(Vec<Entry>, Progress),
    /// The place is not in it, since the roster was restored.
    Restored,
    /// The place is not in it, and nothing says why.
    Missing,
}

impl Store {
    /// Tells the revocation journal what it does not have yet. To be called after each write, by this key server or another.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tell_journal(&self) -> Result<Told, StoreError> {
        let Some(journal) = self.journal() else {
            return Ok(Told::Everything { set_aside: None });
        };
        loop {
            let Ok(known) = journal.known().await else {
                return Ok(Told::NotNow);
            };
            let news = self.read().await?.news(known).await?;
            let (told, all) = match news {
                News::Missing => return Ok(Told::WentBack),
                News::Restored => (journal.begin_anew().await, false),
                News::Entries(entries, progress) => {
                    let all = matches!(progress, Progress::Wholly(_));
                    (journal.learn(entries, progress).await, all)
                }
            };
            match (told, all) {
                (Err(_), _) => return Ok(Told::NotNow),
                (Ok(()), true) => return Ok(everything(journal).await),
                (Ok(()), false) => {}
            }
        }
    }
}

async fn everything(journal: &Journal) -> Told {
    Told::Everything {
        set_aside: journal.take_set_aside().await,
    }
}

impl Reader {
    async fn news(&mut self, known: Place) -> Result<News, StoreError> {
        let state = self.state().await?;
        let sequence = known.head.sequence.cast_signed();
        if known != Place::START {
            let there = self.tx.first::<EventRow>(AT, values![sequence]).await?;
            if there.is_none_or(|event| event.hash != known.head.hash) {
                return Ok(match state.epoch > known.epoch {
                    true => News::Restored,
                    false => News::Missing,
                });
            }
        }
        let of_page = values![sequence, PAGE_EVENTS];
        let events = self.tx.all::<EventRow>(RELEVANT, of_page).await?;
        let is_all = (events.len() as u64) < PAGE_EVENTS.cast_unsigned();
        let mut place = known;
        let mut entries = Vec::new();
        for event in events {
            place = Place {
                epoch: epoch_made_by(&event).unwrap_or(place.epoch),
                head: event.head(),
            };
            if weight(&event).after() != When::Never {
                entries.push(Entry {
                    certainty: Certainty::Done,
                    epoch: place.epoch,
                    event,
                });
            }
        }
        let progress = match is_all {
            true => Progress::Wholly(Place {
                epoch: state.epoch,
                head: state.head,
            }),
            false => Progress::Partly(place),
        };
        Ok(News::Entries(entries, progress))
    }
}

/// What an event is to the journal. One that can't be read is something that a restore has to know of.
pub(super) fn weight(event: &AuditEvent) -> Weight {
    match (
        Action::parse(&event.action),
        serde_json::from_str(&event.detail),
    ) {
        (Some(action), Ok(detail)) => Weight::of(action, &detail),
        _ => Weight::Tells,
    }
}

/// The epoch that an event began.
fn epoch_made_by(event: &AuditEvent) -> Option<Epoch> {
    if Action::parse(&event.action) != Some(Action::RosterRestore) {
        return None;
    }
    let detail: Json = serde_json::from_str(&event.detail).ok()?;
    Epoch::new(detail.get("epoch")?.as_u64()?).ok()
}

/// The events that may belong into the journal. A test holds the list to [`Weight::of`].
pub(super) const RELEVANT_SQL: &str = "select sequence, revision, occurred_at, actor, action, object, detail, previous_hash, \
     hash from audit_events where sequence > $1 and action in ('key.revoke', 'user.set-state', 'group.add-member', \
     'group.remove-member', 'group.delete', 'host.enrol', 'host.remove', 'host.lock', 'host-group.add-host', \
     'host-group.remove-host', 'host-group.delete', 'grant.add', 'grant.revoke', 'token.revoke', 'roster.restore') \
     and (action <> 'grant.add' or detail like '%\"effect\":\"deny\"%') order by sequence limit $2";

/// Events that are read at one time.
const PAGE_EVENTS: i64 = 1_000;
