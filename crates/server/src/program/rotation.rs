//! `rotate`, and what it tells.

use keyroster_api::time::to_rfc3339;
use keyroster_keys::HostName;
use keyroster_store::Store;

use super::{EX_CONFIG, EX_IOERR, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE, Failure, open_dir, print};
use crate::ca;
use crate::cli::{Rotate, RotateStep};
use crate::clock::{Clock as _, SystemClock};
use crate::data_dir::{DataDir, read_public};
use crate::data_lock::DataLock;
use crate::open;
use crate::random::OsRandom;
use crate::rotate::{Means, Rotated, Rotation, RotationError, Stage};

pub(super) async fn rotate(options: &Rotate) -> Result<(), Failure> {
    let (dir, config) = open_dir(&options.data)?;
    let _lock = DataLock::share(&dir)?;
    let mut rotation = Rotation::load(&dir)?;
    let store = open::open_store(&dir, &config).await?;
    let done = step(&mut rotation, &options.step, &store).await;
    let told = match done {
        Ok(what) => tell(&rotation, what, (&dir, &store)).await,
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
    let means = Means {
        store,
        now: SystemClock.now(),
        random: &OsRandom,
    };
    match step {
        RotateStep::SnapshotKey => {
            rotation.announce(Rotated::SnapshotKey, means).await?;
            Ok(KEY_ANNOUNCED)
        }
        RotateStep::Ca => {
            rotation.announce(Rotated::Ca, means).await?;
            Ok(CA_ANNOUNCED)
        }
        RotateStep::Switch(hosts) => {
            rotation.switch(&hosts.abandon, means).await?;
            Ok(match rotation.stage() {
                Stage::Switched(Rotated::Ca) => CA_SWITCHED,
                _ => KEY_SWITCHED,
            })
        }
        RotateStep::Finish(hosts) => {
            let before = rotation.stage();
            rotation.finish(&hosts.abandon, means).await?;
            Ok(match before {
                Stage::Switched(Rotated::Ca) => CA_FINISHED,
                _ => KEY_FINISHED,
            })
        }
        RotateStep::Status => Ok(""),
    }
}

async fn tell(
    rotation: &Rotation<'_>,
    what: &str,
    (dir, store): (&DataDir, &Store),
) -> Result<String, Failure> {
    let stage = match rotation.stage() {
        Stage::Settled => "one snapshot key, one CA",
        Stage::Announced(Rotated::SnapshotKey) => {
            "announced: the old key signs, hosts learn of the new one"
        }
        Stage::Switched(Rotated::SnapshotKey) => {
            "changed over: the new key signs, hosts still believe the old one"
        }
        Stage::Announced(Rotated::Ca) => {
            "announced: the old CA is in force, hosts learn of the new one"
        }
        Stage::Switched(Rotated::Ca) => {
            "changed over: the new CA is in force, hosts renew their certificates"
        }
    };
    let mut text = format!(
        "{what}Stage: {stage}\nCA in force: {}, until {}\n",
        rotation.ca(),
        end_of_ca(dir),
    );
    let newest = rotation.newest_ca()?;
    if newest != rotation.ca() {
        text.push_str(&format!("New CA: {newest}\n"));
    }
    text.push_str(&format!("Set: {}\n", rotation.serial()));
    let behind = rotation.behind(store).await?;
    list(&mut text, "Hosts that do not go by it", &behind);
    if rotation.stage() == Stage::Switched(Rotated::Ca) {
        let old = rotation.of_older_ca(store).await?;
        list(&mut text, "Hosts with a certificate of the old CA", &old);
    }
    Ok(text)
}

fn list(text: &mut String, what: &str, hosts: &[HostName]) {
    text.push_str(&format!("{what}: {}\n", hosts.len()));
    for host in hosts.iter().map(HostName::as_str) {
        text.push_str(&format!("  {host}\n"));
    }
}

/// When the CA in force ends, as far as its file says.
fn end_of_ca(dir: &DataDir) -> String {
    let pem = read_public(&dir.ca()).ok();
    let end = pem.and_then(|pem| ca::end_of_pem(&pem));
    end.map_or_else(|| "nobody knows when".to_owned(), to_rfc3339)
}

impl From<RotationError> for Failure {
    fn from(error: RotationError) -> Self {
        let (code, hint) = match &error {
            RotationError::Store(_) => (EX_UNAVAILABLE, None),
            RotationError::File(_) | RotationError::Random(_) => (EX_IOERR, None),
            RotationError::Chain(_)
            | RotationError::Key(_)
            | RotationError::Ca(_)
            | RotationError::Tls(_)
            | RotationError::UnknownKey
            | RotationError::UnknownCa => (EX_CONFIG, None),
            RotationError::HandedOver(_) => (EX_CONFIG, Some(HANDED_OVER)),
            RotationError::Full => (EX_CONFIG, Some(FULL)),
            RotationError::Lost(_) => (
                EX_CONFIG,
                Some("put the newest one back, from another key server or a backup"),
            ),
            RotationError::Stage(_) => (EX_USAGE, Some("`rotate status` tells where it stands")),
            RotationError::Behind(_) => (EX_TEMPFAIL, Some(BEHIND)),
            RotationError::OfOldCa(_) => (EX_TEMPFAIL, Some(OF_OLD_CA)),
        };
        Self {
            hint,
            ..Self::of(code, &error)
        }
    }
}

const KEY_ANNOUNCED: &str =
    "A new snapshot key was made. Restart the key server, so that hosts learn of it.\n";
const KEY_SWITCHED: &str = "Restart the key server: it signs with the new key then.\n";
const KEY_FINISHED: &str = "The old snapshot key is gone. Restart the key server, so that hosts learn to believe the new one alone.\n";
const CA_ANNOUNCED: &str =
    "A new CA was made. Restart the key server, so that hosts and people's programs learn of it.\n";
const CA_SWITCHED: &str =
    "Restart the key server: the new CA is in force then, and hosts renew their certificates.\n";
const CA_FINISHED: &str = "The old CA is gone. Restart the key server: it takes no certificate of the old CA then, and hosts learn to believe the new one alone.\n";
const BEHIND: &str = "let them reach the key server, or give up on each with --abandon HOST";
const OF_OLD_CA: &str = "let them reach the key server, or give up on each with --abandon HOST: it has to be enrolled anew";
const HANDED_OVER: &str = "where systemd hands it over (LoadCredential=), put it there for the time of the exchange: see \"Keys that systemd hands over\" in docs/rotation.md";
const FULL: &str = "take its oldest documents out, of which every host has gone beyond";
