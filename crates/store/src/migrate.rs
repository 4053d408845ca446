//! Brings a database to this version's schema, and refuses one from the future.

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{Acquire, Database, Pool};

use crate::StoreError;
use crate::error::classify;

/// Runs what has not been run yet.
pub(crate) async fn run<D>(pool: &Pool<D>) -> Result<(), StoreError>
where
    D: Database,
    for<'a> &'a Pool<D>: Acquire<'a, Database = D>,
    D::Connection: Migrate,
{
    MIGRATIONS.run(pool).await.map_err(explain)
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
