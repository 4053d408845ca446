//! Brings a database to this version's schema, and refuses one from the future.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgPool, SqlitePool};

use crate::StoreError;
use crate::error::classify;
use crate::store::BEGIN_SQLITE_WRITE;

/// Runs what has not been run yet. Of several key servers that start at once one does it, behind an advisory lock.
pub(crate) async fn postgres(pool: &PgPool) -> Result<(), StoreError> {
    MIGRATIONS.run(pool).await.map_err(explain)
}

/// Runs what has not been run yet. SQLite has no advisory locks, so it is one transaction that begins by taking the writer's lock:
/// who comes second finds it done.
pub(crate) async fn sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let refused = |error| classify("migrate", error);
    let mut transaction = pool.begin_with(BEGIN_SQLITE_WRITE).await.map_err(refused)?;
    MIGRATIONS
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(explain)?;
    transaction.commit().await.map_err(refused)
}

fn explain(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(found) => StoreError::SchemaTooNew {
            found,
            known: newest(),
        },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            classify("migrate", error)
        }
        other => StoreError::Schema {
            what: other.to_string(),
        },
    }
}

/// The newest schema that this version knows.
fn newest() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
