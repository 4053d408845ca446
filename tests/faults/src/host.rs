//! A host's files: its settings, and a state directory as the host agent itself would have left it.

use std::path::Path;
use std::time::Duration;

use keyroster_agent::core::freshness::Confirmation;
use keyroster_agent::core::moment::BootId;
use keyroster_agent::state::credential::HostFile;
use keyroster_agent::state::files::{
    ConfirmedFile, SNAPSHOT, raise_high_water, read_confirmed, read_high_water, write_confirmed,
};
use keyroster_agent::state::journal::{Change, append};
use keyroster_agent::state::{Credential, StateDir, memory};
use keyroster_api::snapshot::{Snapshot, Tag};
use keyroster_testkit::{ClientIdentity, Failure, Result};

use crate::cell::Held;
use crate::documents::{EPOCH, HELD_REVISION, HOST_ID, NEWER_REVISION, OLD_S, sign};
use crate::world::{World, now};

/// How the machine's clocks stand to what is on the disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clocks {
    /// By how many seconds the wall clock was set forward since; the same as all else having happened that much earlier.
    pub(crate) ahead_s: i64,
    /// Whether the machine was started again since.
    pub(crate) rebooted: bool,
}

/// Writes the credential and the high water: what every enrolled host has.
pub(crate) fn enrol(path: &Path, world: &World, client: &ClientIdentity) -> Result {
    let dir = open(path)?;
    let credential = Credential {
        host: HostFile {
            host_id: HOST_ID.to_owned(),
            name: "web-1".to_owned(),
            server: "https://keys.example.org".to_owned(),
            epoch: EPOCH,
            revision: 1,
            keys_serial: 0,
        },
        key: client.key.clone().into(),
        certificate: client.certificate.clone(),
        ca: world.ca.certificate_pem().to_owned(),
        snapshot_key: world.signer.public(),
    };
    credential.save(&dir).map_err(failed)?;
    raise_high_water(&dir, tag(HELD_REVISION)?).map_err(failed)
}

/// Writes what is held and when it was confirmed; nothing when nothing is held.
pub(crate) fn hold(
    path: &Path,
    world: &World,
    held: Held,
    snapshot: &Snapshot,
    clocks: Clocks,
) -> Result {
    if held == Held::Nothing {
        return Ok(());
    }
    let dir = open(path)?;
    dir.write(SNAPSHOT, &sign(&world.signer, snapshot)?)
        .map_err(failed)?;
    confirm(&dir, held, HELD_REVISION, clocks)
}

/// Appends an update to the newer revision to the journal, as a host that has followed it: seen, and confirmed as `held` says.
pub(crate) fn follow(path: &Path, held: Held, document: Vec<u8>) -> Result {
    let dir = open(path)?;
    let lock = memory::try_lock(&dir).map_err(failed)?;
    let lock = lock.ok_or_else(|| Failure::new("somebody else writes to the state directory"))?;
    let change = Change {
        from: tag(HELD_REVISION)?.revision,
        to: tag(NEWER_REVISION)?,
        document,
    };
    append(&dir, &change, &lock).map_err(failed)?;
    raise_high_water(&dir, change.to).map_err(failed)?;
    match held {
        Held::Nothing => Ok(()),
        _ => confirm(&dir, held, NEWER_REVISION, Clocks::default()),
    }
}

fn confirm(dir: &StateDir, held: Held, revision: u64, clocks: Clocks) -> Result {
    let age_s = match held {
        Held::Fresh | Held::Nothing => 0,
        Held::Stale | Held::Expired => OLD_S,
    };
    let confirmed = confirmation(age_s, clocks)?;
    let file = ConfirmedFile::new(&confirmed, Some(tag(revision)?), None);
    write_confirmed(dir, &file).map_err(failed)
}

fn tag(revision: u64) -> Result<Tag> {
    Tag::from_header(&format!("\"{EPOCH}.{revision}\""))
        .map_err(|error| Failure::new(error.to_string()))
}

/// Whether the key server's word has been kept: a newer snapshot, or that the host is out.
pub(crate) fn has_heard(path: &Path) -> Result<bool> {
    let dir = open(path)?;
    let newer = read_high_water(&dir).map_err(failed)?;
    let refused = read_confirmed(&dir).map_err(failed)?;
    Ok(newer.is_some_and(|tag| tag.revision.get() > HELD_REVISION)
        || refused.is_some_and(|confirmed| confirmed.refused.is_some()))
}

fn confirmation(age_s: u64, clocks: Clocks) -> Result<Confirmation> {
    let now = now()?;
    let age = i64::try_from(age_s).unwrap_or_default();
    let boot = match clocks.rebooted {
        false => now.boot,
        true => BootId::parse(EARLIER_BOOT).unwrap_or(now.boot),
    };
    let since_boot = now.since_boot.checked_sub(Duration::from_secs(age_s));
    let since_boot = since_boot
        .ok_or_else(|| Failure::new(format!("the machine has been up for less than {age_s} s")))?;
    let then_s = now.wall_s() - age - clocks.ahead_s;
    Ok(Confirmation {
        boot,
        since_boot,
        wall_ms: then_s * 1000,
        server_time_s: then_s,
        found: None,
    })
}

fn open(path: &Path) -> Result<StateDir> {
    StateDir::open(path).map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err gives is taken")]
fn failed(error: keyroster_agent::state::StateError) -> Failure {
    Failure::new(error.to_string())
}

/// The id of a boot that is over.
const EARLIER_BOOT: &str = "0e6a4cf8-6dd8-4d40-8a7d-8a8a1f0a0b0c";
