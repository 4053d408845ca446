//! The files beside the snapshot: small, ours, and believed only as far as being wrong is safe.
//!
//! Each is a line of JSON and a line with its digest.

use std::fmt::Write as _;
use std::time::Duration;

use keyroster_api::snapshot::Tag;
use keyroster_roster::{Epoch, Revision};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::core::breaker::Breaker;
use crate::core::freshness::{Confirmation, Found};
use crate::core::moment::{BootId, Moment};
use crate::state::dir::{Secrecy, StateDir, StateError};

/// The signed document, as the key server sent it.
pub const SNAPSHOT: &str = "snapshot";

/// The signed updates since then, as the key server sent them.
pub const JOURNAL: &str = "journal";

/// The highest epoch and revision ever seen.
pub const HIGH_WATER: &str = "high-water";

/// When the key server last vouched for the snapshot, or refused the host.
pub const CONFIRMED: &str = "confirmed";

/// The breaker of hosts without the daemon.
pub const BREAKER: &str = "breaker";

/// The newest list of revoked keys, as a signed document.
pub const REVOKED_KEYS: &str = "revoked-keys";

/// The lock of those who write the files above.
pub const WRITERS: &str = "lock";

/// The lock that a running daemon holds.
pub const DAEMON: &str = "daemon";

/// Bytes of the small files.
const MAX_SMALL_BYTES: usize = 4096;

/// `high-water`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HighWaterFile {
    epoch: u64,
    revision: u64,
}

/// `confirmed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmedFile {
    /// Of the snapshot that was vouched for; none when none was held.
    pub epoch: Option<u64>,
    /// Likewise.
    pub revision: Option<u64>,
    boot: String,
    since_boot_ms: u64,
    wall_ms: i64,
    server_time_s: i64,
    /// The status with which the key server refused this host.
    pub refused: Option<u16>,
    /// When a later boot found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<FoundFile>,
}

/// How old a confirmation was when a later boot found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FoundFile {
    boot: String,
    since_boot_ms: u64,
    age_ms: u64,
}

/// `breaker`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerFile {
    boot: String,
    failures: u32,
    open_until_ms: u64,
}

impl ConfirmedFile {
    /// What is to be remembered of a confirmation.
    #[must_use]
    pub fn new(confirmed: &Confirmation, tag: Option<Tag>, refused: Option<u16>) -> Self {
        Self {
            epoch: tag.map(|tag| tag.epoch.get()),
            revision: tag.map(|tag| tag.revision.get()),
            boot: confirmed.boot.to_string(),
            since_boot_ms: millis(confirmed.since_boot),
            wall_ms: confirmed.wall_ms,
            server_time_s: confirmed.server_time_s,
            refused,
            found: confirmed.found.map(|found| FoundFile::new(&found)),
        }
    }

    /// The confirmation; none when a boot in it can't be read.
    #[must_use]
    pub fn confirmation(&self) -> Option<Confirmation> {
        let found = match &self.found {
            Some(found) => Some(found.parse()?),
            None => None,
        };
        Some(Confirmation {
            boot: BootId::parse(&self.boot)?,
            since_boot: Duration::from_millis(self.since_boot_ms),
            wall_ms: self.wall_ms,
            server_time_s: self.server_time_s,
            found,
        })
    }

    /// Whether the question that it tells of was asked later than that of `other`. Different boots are not compared.
    #[must_use]
    pub fn overtakes(&self, other: &Self) -> bool {
        self.boot == other.boot && self.since_boot_ms > other.since_boot_ms
    }

    /// Whether `other` is of an earlier boot than this one, or no older than this one was found to be.
    #[must_use]
    pub fn succeeds(&self, other: &Self) -> bool {
        other.found.as_ref().is_some_and(|found| {
            let as_old = self.found.as_ref().is_some_and(|own| own.is_as_old(found));
            self.boot == found.boot || as_old
        })
    }

    /// Whether it is about the snapshot with this tag.
    #[must_use]
    pub fn vouches_for(&self, tag: Tag) -> bool {
        (self.epoch, self.revision) == (Some(tag.epoch.get()), Some(tag.revision.get()))
    }
}

impl FoundFile {
    fn new(found: &Found) -> Self {
        Self {
            boot: found.boot.to_string(),
            since_boot_ms: millis(found.since_boot),
            age_ms: millis(found.age),
        }
    }

    /// Whether it tells as great an age, at any moment of the same boot.
    fn is_as_old(&self, other: &Self) -> bool {
        let sum = |age: u64, since: u64| u128::from(age) + u128::from(since);
        self.boot == other.boot
            && sum(self.age_ms, other.since_boot_ms) >= sum(other.age_ms, self.since_boot_ms)
    }

    fn parse(&self) -> Option<Found> {
        Some(Found {
            boot: BootId::parse(&self.boot)?,
            since_boot: Duration::from_millis(self.since_boot_ms),
            age: Duration::from_millis(self.age_ms),
        })
    }
}

/// Reads the highest epoch and revision ever seen.
///
/// # Errors
/// When it can't be believed. The caller must then answer nothing that the key server has not confirmed anew.
pub fn read_high_water(dir: &StateDir) -> Result<Option<Tag>, StateError> {
    let Some(file) = read_json::<HighWaterFile>(dir, HIGH_WATER)? else {
        return Ok(None);
    };
    let corrupt = |err: keyroster_roster::ModelError| StateError::Corrupt {
        path: dir.path_of(HIGH_WATER),
        why: err.to_string(),
    };
    Ok(Some(Tag {
        epoch: Epoch::new(file.epoch).map_err(corrupt)?,
        revision: Revision::new(file.revision).map_err(corrupt)?,
    }))
}

/// Raises the high water; one that is there and higher is never lowered.
///
/// # Errors
/// When it can't be written.
pub fn raise_high_water(dir: &StateDir, seen: Tag) -> Result<(), StateError> {
    if matches!(read_high_water(dir), Ok(Some(there)) if there >= seen) {
        return Ok(());
    }
    let file = HighWaterFile {
        epoch: seen.epoch.get(),
        revision: seen.revision.get(),
    };
    write_json(dir, HIGH_WATER, &file)
}

/// Reads the last confirmation.
///
/// # Errors
/// When it can't be believed.
pub fn read_confirmed(dir: &StateDir) -> Result<Option<ConfirmedFile>, StateError> {
    read_json(dir, CONFIRMED)
}

/// Keeps the last confirmation.
///
/// # Errors
/// When it can't be written.
pub fn write_confirmed(dir: &StateDir, file: &ConfirmedFile) -> Result<(), StateError> {
    write_json(dir, CONFIRMED, file)
}

/// The breaker that the last `lookup-once` left; a new one when there is none, of another boot, or not to be believed.
#[must_use]
pub fn read_breaker(dir: &StateDir, now: &Moment) -> Breaker {
    match read_json::<BreakerFile>(dir, BREAKER) {
        Ok(Some(file)) if BootId::parse(&file.boot) == Some(now.boot) => {
            Breaker::restored(file.failures, Duration::from_millis(file.open_until_ms))
        }
        _ => Breaker::default(),
    }
}

/// Keeps the breaker; a closed one is no file.
///
/// # Errors
/// When it can't be written.
pub fn write_breaker(dir: &StateDir, breaker: &Breaker, now: &Moment) -> Result<(), StateError> {
    if breaker.failures() == 0 {
        return dir.remove(BREAKER);
    }
    let file = BreakerFile {
        boot: now.boot.to_string(),
        failures: breaker.failures(),
        open_until_ms: millis(breaker.open_until()),
    };
    write_json(dir, BREAKER, &file)
}

fn read_json<T: DeserializeOwned>(dir: &StateDir, name: &str) -> Result<Option<T>, StateError> {
    let Some(bytes) = dir.read(name, MAX_SMALL_BYTES, Secrecy::Public)? else {
        return Ok(None);
    };
    let corrupt = |why: String| StateError::Corrupt {
        path: dir.path_of(name),
        why,
    };
    let json = checked(&bytes).ok_or_else(|| corrupt("its digest is another one".to_owned()))?;
    serde_json::from_slice(json)
        .map(Some)
        .map_err(|err| corrupt(err.to_string()))
}

fn write_json(dir: &StateDir, name: &str, value: &impl Serialize) -> Result<(), StateError> {
    let mut bytes = serde_json::to_vec(value).map_err(|err| StateError::Corrupt {
        path: dir.path_of(name),
        why: err.to_string(),
    })?;
    let digest = digest(&bytes);
    bytes.push(b'\n');
    bytes.extend_from_slice(digest.as_bytes());
    dir.write(name, &bytes)
}

/// The first of two lines, if the second is its digest. It keeps out no one who can write here, but a disk that forgets a bit:
/// in a number that could make an old confirmation young.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (json, rest) = bytes.split_at_checked(end)?;
    (rest.strip_prefix(b"\n")? == digest(json).as_bytes()).then_some(json)
}

/// SHA-256 in hex, and a newline.
fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let mut text = digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
        text
    });
    text.push('\n');
    text
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BOOT, moment, tag};

    /// Flips each bit of the file in turn.
    fn no_flipped_bit_is_believed<T: std::fmt::Debug>(
        dir: &StateDir,
        name: &str,
        read: impl Fn() -> Result<Option<T>, StateError>,
    ) {
        let path = dir.path_of(name);
        let whole = std::fs::read(&path).unwrap();
        assert!(read().unwrap().is_some());
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, flipped).unwrap();
            assert!(
                matches!(read(), Err(StateError::Corrupt { .. })),
                "bit {bit}"
            );
        }
    }

    fn scratch() -> (tempfile::TempDir, StateDir) {
        let scratch = tempfile::tempdir().unwrap();
        let dir = StateDir::create(&scratch.path().join("state")).unwrap();
        (scratch, dir)
    }

    #[test]
    fn a_high_water_with_a_flipped_bit_is_not_believed() {
        let (_scratch, dir) = scratch();
        raise_high_water(&dir, tag(1, 812)).unwrap();
        no_flipped_bit_is_believed(&dir, HIGH_WATER, || read_high_water(&dir));
    }

    #[test]
    fn a_confirmation_with_a_flipped_bit_is_not_believed() {
        let (_scratch, dir) = scratch();
        let confirmed = Confirmation::at(&moment(BOOT, 4000, 1_000_000), 1_000_000);
        write_confirmed(
            &dir,
            &ConfirmedFile::new(&confirmed, Some(tag(1, 812)), None),
        )
        .unwrap();
        no_flipped_bit_is_believed(&dir, CONFIRMED, || read_confirmed(&dir));
    }

    #[test]
    fn a_file_without_its_digest_is_not_believed() {
        let (_scratch, dir) = scratch();
        dir.write(HIGH_WATER, b"{\"epoch\":1,\"revision\":812}\n")
            .unwrap();
        assert!(read_high_water(&dir).is_err());
    }
}
