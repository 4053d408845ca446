//! What `enable` wrote down about a change that nobody has confirmed yet.

use std::path::Path;

use crate::clock::{Clock as _, SystemClock};
use crate::core::moment::Moment;
use crate::doctor::checks::pending::Pending;
use crate::doctor::facts::{Seen, Unseen};
use crate::enable::record::{self, Records};

/// Looks for a record.
///
/// # Errors
/// When it may not be read, or is not what was written.
pub fn gather(directory: &Path) -> Seen<Pending> {
    let Some(records) = Records::open(directory).map_err(Unseen::because)? else {
        return Ok(Pending::Nothing);
    };
    let Some(pending) = records.pending().map_err(Unseen::because)? else {
        return Ok(Pending::Nothing);
    };
    let now = SystemClock::new().map_err(Unseen::because)?.now();
    Ok(judge(&pending, &now))
}

fn judge(pending: &record::Pending, now: &Moment) -> Pending {
    match pending.left_ms(now) {
        None => Pending::Open,
        Some(left_ms) if left_ms > 0 && pending.is_of(now.boot) => Pending::Until(left_ms / 1000),
        Some(_) => Pending::Overdue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enable::file::{Bytes, Content};
    use crate::enable::record::Subject;

    fn pending(boot: &str, deadline_ms: Option<u64>, now: &Moment) -> Pending {
        let record = record::Pending {
            subject: Subject {
                sshd: "/usr/sbin/sshd".into(),
                config: "/etc/ssh/sshd_config".into(),
                name: "10-keyroster.conf".to_owned(),
            },
            before: Content::Absent,
            previous: None,
            written: Bytes(Vec::new()),
            boot: boot.to_owned(),
            deadline_ms,
            in_effect_since: None,
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
        assert_eq!(gather(&dir.path().join("none")), Ok(Pending::Nothing));
        assert_eq!(gather(dir.path()), Ok(Pending::Nothing));
        std::fs::write(dir.path().join("pending"), "{").unwrap();
        assert!(gather(dir.path()).is_err());
    }
}
