//! The one place that knows that there are two databases.
//!
//! A closed enum and a macro that writes both arms, rather than a trait over `sqlx::Database`: the bounds that such a trait
//! needs are longer than the code that it would share, and `sqlx::Any` can't do what both databases can. Above this file,
//! a statement is a constant, its values are [`Value`]s, and a row is a [`Record`] that parses itself into the model.

use keyroster_keys::{AccountName, GroupName, HostName, UserName};
use keyroster_roster::{Actor, GrantId, HostId, Timestamp};
use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Executor, FromRow, SqlSafeStr, Transaction};

use crate::StoreError;
use crate::error::{classify, undecodable};
use crate::token_hash::TokenHash;

/// Runs the same body for whichever database `$value` is about.
macro_rules! dispatch {
    ($value:expr, $inner:ident => $body:expr) => {
        match $value {
            Self::Sqlite($inner) => $body,
            Self::Postgres($inner) => $body,
        }
    };
}
pub(crate) use dispatch;

/// Names a file's statements and lists them, so that a test can prepare each on both databases.
macro_rules! statements {
    ($($(#[$meta:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$meta])*
        const $name: $crate::db::Statement =
            $crate::db::Statement { name: concat!(module_path!(), "::", stringify!($name)), sql: $sql };)+
        pub(crate) const STATEMENTS: &[$crate::db::Statement] = &[$($name),+];
    };
}
pub(crate) use statements;

/// The values of a statement's placeholders, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Value::from($value)),*] };
}
pub(crate) use values;

/// One SQL text, made by `statements!` only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement {
    /// Where it stands in the code: what an error names.
    pub name: &'static str,
    pub sql: &'static str,
}

/// A value that both databases store alike.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(Option<&'a str>),
    Number(Option<i64>),
}

/// A row as the database returns it, and what it means.
pub(crate) trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
    /// The table that it is from, for the error that says that it can't be read.
    const TABLE: &'static str;
    /// What it means.
    type Item;
    /// Reads every text into its type.
    fn parse(self) -> Result<Self::Item, StoreError>;
}

/// A transaction; rolled back when dropped.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

macro_rules! bound {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind(*text),
                Value::Number(number) => query.bind(*number),
            };
        }
        query
    }};
}

impl Tx {
    /// Runs a statement and returns how many rows it changed.
    pub async fn execute(
        &mut self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        let done = dispatch!(self, tx => {
            bound!(sqlx::query(statement.sql), values).execute(&mut **tx).await.map(|done| done.rows_affected())
        });
        done.map_err(|error| classify(statement.name, error))
    }

    /// Every row of a query.
    pub async fn all<R: Record>(
        &mut self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<R::Item>, StoreError> {
        let rows: Result<Vec<R>, sqlx::Error> = dispatch!(self, tx => {
            bound!(sqlx::query_as(statement.sql), values).fetch_all(&mut **tx).await
        });
        let rows = rows.map_err(|error| undecodable(R::TABLE, statement.name, error))?;
        rows.into_iter().map(R::parse).collect()
    }

    /// The row of a query that has one at most.
    pub async fn first<R: Record>(
        &mut self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Option<R::Item>, StoreError> {
        let row: Result<Option<R>, sqlx::Error> = dispatch!(self, tx => {
            bound!(sqlx::query_as(statement.sql), values).fetch_optional(&mut **tx).await
        });
        let row = row.map_err(|error| undecodable(R::TABLE, statement.name, error))?;
        row.map(R::parse).transpose()
    }

    /// Has the database read a statement without running it.
    pub async fn prepare(&mut self, statement: Statement) -> Result<(), StoreError> {
        let prepared = dispatch!(self, tx => (&mut **tx).prepare(statement.sql.into_sql_str()).await.map(drop));
        prepared.map_err(|error| classify(statement.name, error))
    }

    /// Makes everything that was done durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        dispatch!(self, tx => tx.commit().await).map_err(|error| classify("commit", error))
    }

    /// Undoes everything that was done. Dropping does so too, but later and without a word about failure.
    pub async fn rollback(self) -> Result<(), StoreError> {
        dispatch!(self, tx => tx.rollback().await).map_err(|error| classify("rollback", error))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(moment: Timestamp) -> Self {
        Self::Number(Some(moment.as_unix()))
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(moment: Option<Timestamp>) -> Self {
        Self::Number(moment.map(Timestamp::as_unix))
    }
}

macro_rules! value_from_name {
    ($($name:ty),+) => { $(
        impl<'a> From<&'a $name> for Value<'a> {
            fn from(name: &'a $name) -> Self {
                Self::Text(Some(name.as_str()))
            }
        }
    )+ };
}

value_from_name!(
    AccountName,
    UserName,
    GroupName,
    HostName,
    HostId,
    GrantId,
    Actor,
    TokenHash
);
