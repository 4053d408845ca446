//! A journal as a restore reads it: to its end, and without changing it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use keyroster_roster::{Epoch, Timestamp};

use crate::journal::JournalError;
use crate::journal::file::{End, Tail, read_from};
use crate::journal::line::{Entry, Line};
use crate::journal::standing::{Standing, Trust};

/// What a journal says.
#[derive(Debug, Clone)]
pub struct JournalRecord {
    path: PathBuf,
    entries: u64,
    epoch: Epoch,
    newest: Option<Timestamp>,
    pub(crate) standing: Standing,
}

/// What to do with a journal that is damaged.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Refuse it.
    Refuse,
    /// Use every line that can be read, and none that gives something back.
    UseWhatIsLeft,
}

impl JournalRecord {
    /// Reads a journal. The last line may be a part of one, as a crash leaves it.
    ///
    /// # Errors
    /// When it can't be read, or is damaged and that matters.
    pub fn read(path: &Path, damage: Damage) -> Result<Self, JournalError> {
        match Self::read_whole(path) {
            Err(JournalError::Damaged { .. }) if damage == Damage::UseWhatIsLeft => {
                Self::read_what_is_left(path)
            }
            read => read,
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many events it tells of.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// When the newest of them happened.
    #[must_use]
    pub const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// The highest epoch that it knows of.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn read_whole(path: &Path) -> Result<Self, JournalError> {
        let file = File::open(path).map_err(|error| JournalError::io("read", path, error))?;
        let mut record = Self::empty(path);
        let (mut line, mut senseless) = (0, None);
        let (_, Tail::Clean | Tail::Torn) = read_from(&file, path, End::START, |read| {
            line += 1;
            if record.take(&read, Trust::Whole).is_none() {
                senseless = senseless.or(Some(line));
            }
        })?;
        match senseless {
            None => Ok(record),
            Some(line) => Err(JournalError::Damaged {
                path: path.to_owned(),
                line,
            }),
        }
    }

    fn read_what_is_left(path: &Path) -> Result<Self, JournalError> {
        let failed = |error| JournalError::io("read", path, error);
        let file = File::open(path).map_err(failed)?;
        let mut record = Self::empty(path);
        for text in BufReader::new(file).split(b'\n') {
            if let Some((line, _)) = Line::read_unchained(&text.map_err(failed)?) {
                // What makes no sense is part of the damage.
                let _ = record.take(&line, Trust::Partial);
            }
        }
        Ok(record)
    }

    fn empty(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            entries: 0,
            epoch: Epoch::FIRST,
            newest: None,
            standing: Standing::default(),
        }
    }

    fn take(&mut self, line: &Line, trust: Trust) -> Option<()> {
        match line {
            Line::Mark(place) => self.epoch = self.epoch.max(place.epoch),
            Line::Event(entry) => {
                let Entry { epoch, event, .. } = entry;
                self.epoch = self.epoch.max(*epoch);
                self.newest = self.newest.max(Some(event.at));
                self.entries += 1;
                self.standing.take(entry, trust)?;
            }
        }
        Some(())
    }
}
