//! The steps of a change, in an order in which it can be interrupted anywhere.
//!
//! First what is needed to take it back is on disk, then somebody runs who would do so, then the file is replaced, then sshd
//! reads it. A step that fails undoes those before it; a process that dies leaves that to the one that waits.

use std::time::Duration;

use keyroster_sshd::run::pause;
use keyroster_sshd::service::Reloaded;

use crate::clock::{Clock, SystemClock};
use crate::core::moment::Moment;
use crate::enable::args::Within;
use crate::enable::error::EnableError;
use crate::enable::file::{Bytes, Content, Place};
use crate::enable::places::Places;
use crate::enable::record::{Enabled, Pending, Records, Subject};
use crate::enable::watcher::Watcher;
use crate::enable::{drop_in, restore};

/// A change that is ready to be made.
#[derive(Debug)]
pub struct Change<'a> {
    /// Of what.
    pub places: &'a Places,
    /// Where it is written down.
    pub records: &'a Records,
    /// Where the drop-in is.
    pub place: &'a Place,
    /// What is there now.
    pub before: Content,
    /// What is to be there.
    pub text: String,
}

impl Change<'_> {
    /// Makes it.
    ///
    /// # Errors
    /// When a step fails; then everything is as before, or [`EnableError::HalfDone`] says that it is not.
    pub fn make(
        &self,
        within: Within,
        watcher: &Watcher,
        clock: &SystemClock,
    ) -> Result<Vec<Reloaded>, EnableError> {
        let mut pending = self.pending(within, &clock.now())?;
        self.records.set_outcome(None)?;
        self.records.set_pending(Some(&pending))?;
        let made = self.steps(&mut pending, watcher, clock);
        made.map_err(|failure| self.undo(failure, &pending, &clock.now()))
    }

    fn pending(&self, within: Within, now: &Moment) -> Result<Pending, EnableError> {
        let deadline = match within {
            Within::Never => None,
            Within::Time(time) => Some(now.since_boot + time),
        };
        Ok(Pending {
            subject: Subject::of(self.places),
            before: self.before.clone(),
            previous: self.records.enabled_in(&self.places.drop_in.config)?,
            written: Bytes(self.text.clone().into_bytes()),
            boot: now.boot.to_string(),
            deadline_ms: deadline.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            in_effect_since: None,
        })
    }

    fn steps(
        &self,
        pending: &mut Pending,
        watcher: &Watcher,
        clock: &SystemClock,
    ) -> Result<Vec<Reloaded>, EnableError> {
        watcher.start(self.records.path())?;
        self.records.set_enabled(&self.enabled(pending))?;
        self.place.put(&Content::drop_in(self.text.as_bytes()))?;
        let reloaded = restore::reload(&self.places.sshd)?;
        if pending.deadline_ms.is_none() {
            self.records.set_pending(None)?;
            return Ok(reloaded);
        }
        pending.in_effect_since = Some(ticks(&clock.now()));
        self.records.set_pending(Some(pending))?;
        // The kernel tells in ticks when a process began. Nobody is told to log in before the tick of the change is over.
        pause(TICK);
        Ok(reloaded)
    }

    /// What `disable` will put back: what was there before the first change. A drop-in of ours that nothing is written down
    /// about was put there by hand, and before that there was none.
    fn enabled(&self, pending: &Pending) -> Enabled {
        let by_hand = |bytes: &[u8]| drop_in::origin(bytes) != drop_in::Origin::Foreign;
        let original = match &pending.previous {
            Some(previous) => previous.original.clone(),
            None if self.before.bytes().is_some_and(by_hand) => Content::Absent,
            None => self.before.clone(),
        };
        Enabled {
            subject: pending.subject.clone(),
            original,
            written: pending.written.clone(),
        }
    }

    fn undo(&self, failure: EnableError, pending: &Pending, now: &Moment) -> EnableError {
        let why = failure.to_string();
        match restore::take_back(self.records, pending, &why, now) {
            Ok(_) => failure,
            Err(undo) => EnableError::HalfDone {
                failure: Box::new(failure),
                undo: Box::new(undo),
            },
        }
    }
}

/// Clock ticks since boot, as `/proc` counts them for a process's start.
fn ticks(now: &Moment) -> u64 {
    let ticks = now.since_boot.as_millis() / TICK.as_millis();
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// `USER_HZ` is 100 wherever Linux runs but on Alpha and Itanium: time(7).
const TICK: Duration = Duration::from_millis(10);
