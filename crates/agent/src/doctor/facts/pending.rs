//! What `enable` wrote down about a change that nobody has confirmed yet.

use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;

use crate::clock::{Clock as _, SystemClock};
use crate::core::moment::{BootId, Moment};
use crate::doctor::checks::pending::Pending;
use crate::doctor::facts::files::read_some;
use crate::doctor::facts::{Seen, Unseen};

/// The part of the record that tells until when.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Record {
    /// The boot in which the change was made.
    boot: String,
    /// Milliseconds of that boot after which it is taken back.
    deadline_ms: Option<u64>,
}

/// Looks for a record.
///
/// # Errors
/// When it may not be read, or is not what was written.
pub fn gather(directory: &Path) -> Seen<Pending> {
    let path = directory.join("pending");
    let bytes = match read_some(&path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Pending::Nothing),
        Err(err) => return Err(Unseen(format!("can't read \"{}\": {err}", path.display()))),
    };
    let record: Record = serde_json::from_slice(&bytes)
        .map_err(|_| Unseen(format!("\"{}\" is not what was written", path.display())))?;
    let now = SystemClock::new().map_err(Unseen::because)?.now();
    Ok(judge(&record, &now))
}

fn judge(record: &Record, now: &Moment) -> Pending {
    let Some(deadline_ms) = record.deadline_ms else {
        return Pending::Open;
    };
    let now_ms = u64::try_from(now.since_boot.as_millis()).unwrap_or(u64::MAX);
    match deadline_ms.checked_sub(now_ms) {
        Some(left_ms) if BootId::parse(&record.boot) == Some(now.boot) => {
            Pending::Until(left_ms / 1000)
        }
        _ => Pending::Overdue,
    }
}

const MAX_BYTES: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(boot: &str, deadline_ms: Option<u64>, now: &Moment) -> Pending {
        let record = Record {
            boot: boot.to_owned(),
            deadline_ms,
        };
        judge(&record, now)
    }

    #[test]
    fn a_change_is_overdue_after_its_time_and_after_a_boot() {
        let now = SystemClock::new().unwrap().now();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let now_ms = u64::try_from(now.since_boot.as_millis()).unwrap();
        assert_eq!(
            pending(&boot, Some(now_ms + 90_000), &now),
            Pending::Until(90)
        );
        assert_eq!(pending(&boot, Some(now_ms - 1), &now), Pending::Overdue);
        assert_eq!(
            pending("another", Some(now_ms + 90_000), &now),
            Pending::Overdue
        );
        assert_eq!(pending(&boot, None, &now), Pending::Open);
    }

    #[test]
    fn without_a_record_nothing_waits_and_a_damaged_one_is_no_verdict() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(gather(dir.path()), Ok(Pending::Nothing));
        std::fs::write(dir.path().join("pending"), "{").unwrap();
        assert!(gather(dir.path()).is_err());
    }
}
