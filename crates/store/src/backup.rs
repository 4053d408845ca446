//! Copies of a roster in a file of SQLite's. PostgreSQL has tools of its own for that.

use std::path::Path;

use crate::StoreError;
use crate::audit::AuditVerdict;
use crate::location::Location;
use crate::sqlite::{self, ReadOnly};
use crate::store::Store;

impl Store {
    /// Copies the roster in a file as it stands now, into a new file; a key server may go on writing meanwhile.
    ///
    /// # Errors
    /// When the new file exists, or one of the two can't be used.
    pub async fn back_up(from: &Path, to: &Path) -> Result<(), StoreError> {
        sqlite::check_file(from)?;
        sqlite::copy(from, to, ReadOnly::No).await
    }

    /// Copies a backup into a new file, brings that up to date, and checks that it is a whole roster. The backup is only read.
    ///
    /// # Errors
    /// When the backup is no roster, is damaged, or was made by a newer version.
    pub async fn open_copy(backup: &Path, to: &Path) -> Result<Self, StoreError> {
        sqlite::copy(backup, to, ReadOnly::Yes).await?;
        let store = Self::open(&Location::sqlite(to)).await?;
        store.check_whole().await?;
        Ok(store)
    }

    /// Checks what a restore relies on: that the file is sound, and that nobody changed the audit log.
    ///
    /// # Errors
    /// [`StoreError::Schema`] says what is wrong.
    pub async fn check_whole(&self) -> Result<(), StoreError> {
        let found = match self {
            Self::Sqlite(pools) => sqlite::check(pools).await?,
            Self::Postgres(_) => None,
        };
        let wrong = match found {
            Some(found) => Some(format!("the file is damaged: {found}")),
            None => match self.read().await?.verify_audit().await? {
                AuditVerdict::Intact(_) => None,
                AuditVerdict::Broken { sequence, .. } => Some(format!(
                    "event {sequence} of its audit log is not what it was"
                )),
                AuditVerdict::WrongEnd { .. } => {
                    Some("its audit log does not end where it should".to_owned())
                }
            },
        };
        wrong.map_or(Ok(()), |what| Err(StoreError::Schema { what }))
    }
}
