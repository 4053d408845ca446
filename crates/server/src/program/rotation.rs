//! `rotate`, and what it tells.

use keyroster_keys::HostName;
use keyroster_store::Store;

use super::{EX_CONFIG, EX_IOERR, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE, Failure, open_dir, print};
use crate::cli::{Rotate, RotateStep};
use crate::clock::{Clock as _, SystemClock};
use crate::data_lock::DataLock;
use crate::open;
use crate::random::OsRandom;
use crate::rotate::{Rotation, RotationError, Stage};

pub(super) async fn rotate(options: &Rotate) -> Result<(), Failure> {
    let (dir, config) = open_dir(&options.data)?;
    let _lock = DataLock::share(&dir)?;
    let store = open::open_store(&dir, &config).await?;
    let mut rotation = Rotation::load(&dir)?;
    let done = step(&mut rotation, &options.step, &store).await;
    let told = match done {
        Ok(what) => tell(&rotation, what, &store).await,
        Err(error) => Err(error.into()),
    };
    store.close().await;
    print(&told?)
}

/// Makes the step, and says what was done.
async fn step(
    rotation: &mut Rotation<'_>,
    step: &RotateStep,
    store: &Store,
) -> Result<&'static str, RotationError> {
    let now = SystemClock.now();
    match step {
        RotateStep::SnapshotKey => {
            rotation.announce(store, now, &OsRandom).await?;
            Ok(ANNOUNCED)
        }
        RotateStep::Switch(hosts) => {
            rotation.switch(store, &hosts.abandon).await?;
            Ok(SWITCHED)
        }
        RotateStep::Finish(hosts) => {
            rotation.finish(store, &hosts.abandon, now).await?;
            Ok(FINISHED)
        }
        RotateStep::Status => Ok(""),
    }
}

async fn tell(rotation: &Rotation<'_>, what: &str, store: &Store) -> Result<String, Failure> {
    let stage = match rotation.stage() {
        Stage::Settled => "one snapshot key",
        Stage::Announced => "announced: the old key signs, hosts learn of the new one",
        Stage::Switched => "changed over: the new key signs, hosts still believe the old one",
    };
    let behind = rotation.behind(store).await?;
    let mut text = format!(
        "{what}Stage: {stage}\nSet of keys: {}\nHosts that do not go by it: {}\n",
        rotation.serial(),
        behind.len(),
    );
    for host in behind.iter().map(HostName::as_str) {
        text.push_str(&format!("  {host}\n"));
    }
    Ok(text)
}

impl From<RotationError> for Failure {
    fn from(error: RotationError) -> Self {
        let (code, hint) = match &error {
            RotationError::Store(_) => (EX_UNAVAILABLE, None),
            RotationError::File(_) | RotationError::Random(_) => (EX_IOERR, None),
            RotationError::Chain(_) | RotationError::Key(_) | RotationError::UnknownKey => {
                (EX_CONFIG, None)
            }
            RotationError::Lost(_) => (
                EX_CONFIG,
                Some("put the newest one back, from another key server or a backup"),
            ),
            RotationError::Stage(_) => (EX_USAGE, Some("`rotate status` tells where it stands")),
            RotationError::Behind(_) => (EX_TEMPFAIL, Some(BEHIND)),
        };
        Self {
            hint,
            ..Self::of(code, &error)
        }
    }
}

const ANNOUNCED: &str =
    "A new snapshot key was made. Restart the key server, so that hosts learn of it.\n";
const SWITCHED: &str = "Restart the key server: it signs with the new key then.\n";
const FINISHED: &str = "The old snapshot key is gone. Restart the key server, so that hosts learn to believe the new one alone.\n";
const BEHIND: &str = "let them reach the key server, or give up on each with --abandon HOST: it has to be enrolled anew";
