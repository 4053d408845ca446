//! `init`: a data directory, whole or not at all.
//!
//! Everything is made in a temporary directory, which takes its place in the last step. Whatever fails before leaves
//! nothing behind but, on PostgreSQL, an empty roster in a database that was empty.

mod stage;

use std::path::{Path, PathBuf};

use keyroster_api::signature::{SEED_BYTES, SignatureError, SnapshotKey};
use keyroster_edge::CaPin;
use keyroster_roster::{Actor, ModelError, Timestamp};
use keyroster_store::{Location, LocationError, Role, Store, StoreError};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::ca::{Ca, CaError};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::data_dir::{self, DataDir, FileError};
use crate::limits::ADMIN_TOKEN_DAYS;
use crate::random::{Random, RandomError, random_bytes};
use crate::secret;
use stage::Stage;

/// What was made, and must be told now or never.
pub struct Initialised {
    /// The CA's fingerprint.
    pub ca: CaPin,
    /// The first admin token.
    pub token: AdminToken,
}

/// A new admin token.
pub struct AdminToken {
    /// Its text: a secret.
    pub text: Zeroizing<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why nothing was made.
#[derive(Debug, Error)]
pub enum InitError {
    /// There is something at the path already, which is never touched.
    #[error("\"{}\" exists already and is not an empty directory", .0.display())]
    Exists(PathBuf),
    /// The path has no last part, as `/` and `..` have none.
    #[error("\"{}\" is no path at which a directory can be made", .0.display())]
    Path(PathBuf),
    /// A file can't be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A name or a setting can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database's URL can't be used.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The database can't be set up.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The CA can't be made.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The snapshot key can't be made.
    #[error(transparent)]
    SnapshotKey(#[from] SignatureError),
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The token's name can't be used.
    #[error(transparent)]
    Name(#[from] ModelError),
    /// The finished directory can't be put in its place.
    #[error("can't put \"{path}\" in its place: {error}", path = .path.display())]
    Rename {
        /// Where it should be.
        path: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
}

/// Makes the data directory.
///
/// # Errors
/// When something is there, or a step fails; nothing is left behind then.
pub async fn init(
    path: &Path,
    config: &Config,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Initialised, InitError> {
    let stage = Stage::prepare(path, random)?;
    let made = fill(&stage.dir(), config, clock, random).await?;
    stage.publish()?;
    Ok(made)
}

/// Adds an admin token to a roster.
///
/// # Errors
/// When the database does not answer, or a token of that name exists.
pub async fn add_admin_token(
    store: &Store,
    name: &Actor,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<AdminToken, InitError> {
    let now = clock.now();
    let expires_at = now.saturating_add(ADMIN_TOKEN_DAYS * SECONDS_PER_DAY);
    let (text, hash) = secret::new_bearer(random)?;
    store
        .write(&Actor::system(), now)
        .add_bearer_token(name, &hash, Role::Admin, expires_at)
        .await?;
    Ok(AdminToken { text, expires_at })
}

async fn fill(
    dir: &DataDir,
    config: &Config,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Initialised, InitError> {
    let (ca, ca_key) = Ca::create(clock.now(), random_bytes(random)?)?;
    data_dir::write_public(&dir.ca(), ca.pem())?;
    data_dir::write_secret(&dir.ca_key(), &ca_key)?;
    let seed = Zeroizing::new(random_bytes::<SEED_BYTES>(random)?);
    let snapshot_key = SnapshotKey::from_seed(&seed)?;
    data_dir::write_secret(&dir.snapshot_key(), &snapshot_key.to_openssh()?)?;
    data_dir::write_public(
        &dir.snapshot_key_public(),
        &format!("{}\n", snapshot_key.public().to_openssh()?),
    )?;
    data_dir::write_secret(&dir.config(), &config.to_toml()?)?;
    let location = Location::parse(config.database_url(dir).as_str())?;
    let store = Store::create(&location).await?;
    let token = add_admin_token(&store, &Actor::parse(FIRST_TOKEN)?, clock, random).await;
    store.close().await;
    data_dir::sync_dir(dir.path())?;
    Ok(Initialised {
        ca: ca.pin(),
        token: token?,
    })
}

/// The name of the first admin token.
pub const FIRST_TOKEN: &str = "admin";

const SECONDS_PER_DAY: i64 = 86_400;

#[cfg(test)]
mod tests;
