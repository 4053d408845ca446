//! A roster in a PostgreSQL database, which several key servers may share.
//!
//! Writers queue up at the one row that holds the revision, so more than one writing connection would only make the queue
//! longer; readers have connections of their own, and never wait for a writer.

use std::time::Duration;

use keyroster_roster::Revision;
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgListener, Postgres};
use sqlx::{ConnectOptions, Transaction};

use crate::StoreError;
use crate::error::classify;
use crate::location::PostgresUrl;
use crate::store::Pools;

pub(crate) async fn connect(url: &PostgresUrl) -> Result<Pools<Postgres>, StoreError> {
    let options = url
        .options()
        .application_name(APPLICATION_NAME)
        .options([
            ("statement_timeout", STATEMENT_TIMEOUT_MS),
            // A key server that stalls in the middle of a write would hold up all others.
            (
                "idle_in_transaction_session_timeout",
                IDLE_IN_TRANSACTION_TIMEOUT_MS,
            ),
        ])
        .disable_statement_logging();
    let pool = |connections| {
        PoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .max_lifetime(MAX_LIFETIME)
    };
    let writer = pool(WRITERS)
        .connect_with(options.clone())
        .await
        .map_err(|error| classify("connect", error))?;
    let readers = pool(READERS).connect_lazy_with(options);
    Ok(Pools {
        writer,
        readers,
        journal: None,
    })
}

/// Begins to listen, on a connection of its own: it is always busy.
pub(crate) async fn listen(pools: &Pools<Postgres>) -> Result<PgListener, StoreError> {
    let options = pools.readers.connect_options().as_ref().clone();
    let pool = PoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options);
    let unavailable = |error| classify("listen for writes", error);
    let mut listener = PgListener::connect_with(&pool).await.map_err(unavailable)?;
    listener.listen(CHANNEL).await.map_err(unavailable)?;
    Ok(listener)
}

/// Waits for the next notification; `None` when some may have been missed, or it can't be read.
pub(crate) async fn hear(listener: &mut PgListener) -> Result<Option<Revision>, StoreError> {
    let heard = listener.try_recv().await;
    let heard = heard.map_err(|error| classify("listen for writes", error))?;
    let revision = heard.and_then(|heard| heard.payload().parse().ok());
    Ok(revision.and_then(|number| Revision::new(number).ok()))
}

/// Tells all who listen about a write. They hear of it when it is committed, and not before.
pub(crate) async fn notify(
    tx: &mut Transaction<'static, Postgres>,
    revision: Revision,
) -> Result<(), StoreError> {
    sqlx::query(NOTIFY)
        .bind(CHANNEL)
        .bind(revision.to_string())
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(|error| classify("tell other key servers of a write", error))
}

/// Whether a roster was made in this database. The only question that the two databases are asked in different words:
/// SQLite's answer is whether there is a file.
pub(crate) async fn has_roster(pools: &Pools<Postgres>) -> Result<bool, StoreError> {
    let found: Option<(i64,)> = sqlx::query_as(FIND_ROSTER)
        .fetch_optional(&pools.writer)
        .await
        .map_err(|error| classify("look for a roster", error))?;
    Ok(found.is_some())
}

const FIND_ROSTER: &str = "select cast(1 as bigint) from information_schema.tables \
     where table_schema = current_schema() and table_name = 'roster_state'";

/// What is listened to. A word of the whole database: another roster in it only causes a look in vain.
const CHANNEL: &str = "keyroster_revision";

const NOTIFY: &str = "select pg_notify($1, $2)";

const APPLICATION_NAME: &str = "keyroster-server";

/// Connections that write. The second one waits at the row of the revision while the first one commits.
const WRITERS: u32 = 2;

/// Connections that read at the same time.
const READERS: u32 = 8;

/// The longest that one statement may take, in milliseconds; waiting for another writer included.
const STATEMENT_TIMEOUT_MS: &str = "10000";

/// The longest that a transaction may lie idle, in milliseconds.
const IDLE_IN_TRANSACTION_TIMEOUT_MS: &str = "10000";

/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

/// How old a connection gets, so that a server that moved is found again.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);
