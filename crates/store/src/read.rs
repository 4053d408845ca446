//! Reading: one transaction, so that everything in it is of one moment.

use std::fmt;

use keyroster_roster::Timestamp;

use crate::StoreError;
use crate::db::Tx;
use crate::error::corrupt;

/// Reads, all of one moment. Its verbs stand with their nouns. Drop it when done: it holds a connection.
pub struct Reader {
    pub(crate) tx: Tx,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

/// A row that is being read: says which one it was if it can't be.
pub(crate) struct Row<'a> {
    table: &'static str,
    id: &'a str,
}

impl<'a> Row<'a> {
    pub const fn new(table: &'static str, id: &'a str) -> Self {
        Self { table, id }
    }

    /// The value, or which column of which row can't be read.
    pub fn value<T, E: fmt::Display>(
        &self,
        column: &str,
        parsed: Result<T, E>,
    ) -> Result<T, StoreError> {
        parsed.map_err(|error| self.wrong(column, &error))
    }

    /// The value of a column that may be empty.
    pub fn optional<T, E: fmt::Display>(
        &self,
        column: &str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, StoreError> {
        self.value(column, text.map(parse).transpose())
    }

    /// The one of a closed set that the text names.
    pub fn word<T: Copy>(
        &self,
        column: &str,
        text: &str,
        words: &[(T, &str)],
    ) -> Result<T, StoreError> {
        let found = words
            .iter()
            .find(|(_, word)| *word == text)
            .map(|(value, _)| *value);
        found.ok_or_else(|| {
            self.wrong(
                column,
                &format_args!("\"{text}\" is none of the words that stand there"),
            )
        })
    }

    /// Exactly one of two columns.
    pub fn either<T>(
        &self,
        columns: &str,
        one: Option<T>,
        other: Option<T>,
    ) -> Result<T, StoreError> {
        match (one, other) {
            (Some(value), None) | (None, Some(value)) => Ok(value),
            _ => Err(self.wrong(columns, &"exactly one of them must be set")),
        }
    }

    pub fn wrong(&self, column: &str, what: &dyn fmt::Display) -> StoreError {
        corrupt(self.table, self.id, format_args!("{column}: {what}"))
    }
}

/// A moment that a column may hold.
pub(crate) fn moment(seconds: Option<i64>) -> Option<Timestamp> {
    seconds.map(Timestamp::from_unix)
}
