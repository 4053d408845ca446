//! `restore`: a roster from a backup, in which nothing is alive that was revoked since.
//!
//! An SQLite backup is made fit to be served *before* it takes the roster's place: epoch raised, journal replayed, all in a copy
//! beside. Then the old roster is given a second name, taken out of its place with the files that belong to it, and the copy put
//! there. Between any two of these steps the place holds the old roster, nothing, or the restored one, and never the old one
//! without its newest writes, nor the backup as it was. So after a crash it is run again, from the beginning.
//!
//! A PostgreSQL database is put back by its own tools; what follows is one transaction in it.

mod place;

use std::path::{Path, PathBuf};

use keyroster_roster::{Actor, ModelError};
use keyroster_store::{
    Damage, Journal, JournalError, JournalRecord, Location, LocationError, RestoreMode, Restored,
    Store, StoreError, Told,
};
use thiserror::Error;

use crate::clock::Clock;
use crate::config::Config;
use crate::data_dir::{DataDir, FileError};
use crate::data_lock::{DataLock, LockError};

/// What is to be restored, and from what.
#[derive(Debug)]
pub struct Wish {
    /// A backup of an SQLite roster; without one, the database that is in place.
    pub from: Option<PathBuf>,
    /// Journals beside the one of this key server.
    pub journals: Vec<PathBuf>,
    /// What to do when there is none.
    pub without_journal: WithoutJournal,
    /// What to do when one is damaged.
    pub damage: Damage,
    /// Whether it is meant.
    pub mode: RestoreMode,
}

/// Whether a restore may go on that knows nothing of what was revoked.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutJournal {
    /// It may not.
    Refuse,
    /// Somebody has said that it may.
    GoOn,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// What was done in the roster.
    pub restored: Restored,
    /// What was known of what had been taken away.
    pub journals: Vec<JournalRecord>,
    /// Where the roster is that was there before.
    pub kept: Option<PathBuf>,
    /// Whether the journal knows of the restore. If not, it learns of it when the key server starts.
    pub told: Option<Told>,
}

/// A step after which a crash finds things as they are then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The restored roster is whole, beside.
    Staged,
    /// The old roster has a second name.
    Kept,
    /// It is in its place no more; files that belong to it may be.
    OldGone,
    /// Those are gone too.
    CompanionsGone,
    /// The restored roster is in place.
    Placed,
}

/// What is told of each step. A test ends the restore there by an error, as a crash would.
pub type Reached<'a> = &'a mut (dyn FnMut(Step) -> Result<(), RestoreError> + Send);

/// Why nothing was restored.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// Something works on the data directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A journal can't be read, or is damaged.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No journal was found, and none was named.
    #[error("there is no revocation journal \"{}\", so nothing is known of what was revoked after the backup", .0.display())]
    NoJournal(PathBuf),
    /// A backup file was named for a roster in PostgreSQL.
    #[error("the roster is in a PostgreSQL database, which takes its backups by tools of its own")]
    Postgres,
    /// The backup can't be used.
    #[error("the backup \"{}\" can't be used: {source}", path.display())]
    Backup {
        /// The backup.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: StoreError,
    },
    /// The database's URL can't be used.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The database does not answer, or can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file can't be moved.
    #[error(transparent)]
    File(#[from] FileError),
    /// The actor's name is none.
    #[error(transparent)]
    Actor(#[from] ModelError),
}

impl RestoreError {
    /// What the admin can do about it, where there is one thing.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Lock(LockError::InUse(_)) => Some("stop the key server first"),
            Self::Journal(JournalError::Damaged { .. }) => Some(
                "--damaged-journal uses every line of it that can be read, and none that gives something back",
            ),
            Self::NoJournal(_) => Some(
                "name it with --journal; --without-journal goes on, and what was revoked after the backup is alive again",
            ),
            Self::Postgres => Some(
                "`pg_restore` first, then this without --from; docs/restore.md has the whole of it",
            ),
            _ => None,
        }
    }
}

/// Restores.
///
/// # Errors
/// When it can't be done; what is in place then is what was, or nothing, and it can be run again.
pub async fn restore(
    dir: &DataDir,
    config: &Config,
    wish: &Wish,
    clock: &dyn Clock,
    reached: Reached<'_>,
) -> Result<Report, RestoreError> {
    let _lock = DataLock::alone(dir)?;
    let journals = read_journals(dir, config, wish)?;
    let location = Location::parse(config.database_url(dir).as_str())?;
    let (restored, kept) = match (&location, &wish.from) {
        (Location::Sqlite(roster), Some(backup)) => {
            let staged = place::Staged::make(roster, backup).await?;
            let restored = redo(staged.store(), &journals, wish.mode, clock).await;
            let kept = staged
                .finish(restored.as_ref().ok(), wish.mode, clock, reached)
                .await?;
            (restored?, kept)
        }
        (Location::Postgres(_), Some(_)) => return Err(RestoreError::Postgres),
        (_, None) => {
            let store = Store::open(&location).await?;
            store.check_whole().await?;
            let restored = redo(&store, &journals, wish.mode, clock).await;
            store.close().await;
            (restored?, None)
        }
    };
    let told = match wish.mode {
        RestoreMode::Commit => tell(&location, &config.journal(dir)).await,
        RestoreMode::DryRun => None,
    };
    Ok(Report {
        restored,
        journals,
        kept,
        told,
    })
}

async fn redo(
    store: &Store,
    journals: &[JournalRecord],
    mode: RestoreMode,
    clock: &dyn Clock,
) -> Result<Restored, RestoreError> {
    let actor = Actor::parse(ACTOR)?;
    let writer = store.write(&actor, clock.now());
    Ok(writer.restore(journals.to_vec(), mode).await?)
}

/// This key server's own journal, if there is one, and those that were named.
fn read_journals(
    dir: &DataDir,
    config: &Config,
    wish: &Wish,
) -> Result<Vec<JournalRecord>, RestoreError> {
    let own = config.journal(dir);
    let mut paths: Vec<&Path> = wish.journals.iter().map(PathBuf::as_path).collect();
    // One that can't be looked at is not one that is not there: without it what was revoked would be alive again.
    let is_there = own.try_exists().map_err(|error| JournalError::Io {
        verb: "read",
        path: own.clone(),
        error,
    })?;
    if is_there && !paths.contains(&own.as_path()) {
        paths.push(&own);
    }
    if paths.is_empty() && wish.without_journal == WithoutJournal::Refuse {
        return Err(RestoreError::NoJournal(own));
    }
    let read = |path: &Path| JournalRecord::read(path, wish.damage);
    Ok(paths.into_iter().map(read).collect::<Result<_, _>>()?)
}

/// Tells the journal of the new epoch, so that the next restore raises it further.
async fn tell(location: &Location, journal: &Path) -> Option<Told> {
    let store = Store::open(location)
        .await
        .ok()?
        .with_journal(Journal::at(journal));
    let told = store.tell_journal().await.ok();
    store.close().await;
    told
}

/// Who did it, in the audit log.
const ACTOR: &str = "system:restore";

#[cfg(test)]
mod tests;
