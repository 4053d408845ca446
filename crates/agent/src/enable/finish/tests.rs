use super::*;
use crate::core::moment::BootId;
use crate::enable::file::{Bytes, Content};
use crate::enable::record::Subject;

const BOOT: &str = "0e6a4cf86dd84d408a7d8a8a1f0a0b0c";

fn now(seconds: u64) -> Moment {
    Moment {
        boot: BootId::parse(BOOT).unwrap(),
        since_boot: Duration::from_secs(seconds),
        wall_ms: 0,
    }
}

/// One whose time is over at second 100.
fn pending(in_effect_since: Option<u64>) -> Pending {
    Pending {
        subject: Subject {
            sshd: "/usr/sbin/sshd".into(),
            config: "/etc/ssh/sshd_config".into(),
            name: "10-keyroster.conf".to_owned(),
        },
        before: Content::Absent,
        previous: None,
        written: Bytes(Vec::new()),
        boot: BOOT.to_owned(),
        deadline_ms: Some(100_000),
        in_effect_since,
    }
}

#[test]
fn a_login_confirms_and_the_end_of_the_time_takes_back() {
    let pending = pending(Some(5));
    let decide = |seconds, login| next(&pending, &now(seconds), Maker::Gone, login);
    assert_eq!(decide(99, None), Next::Wait);
    assert_eq!(
        decide(99, Some("deploy")),
        Next::Confirm("deploy".to_owned())
    );
    assert!(matches!(decide(100, None), Next::TakeBack(_)));
    assert_eq!(
        decide(100, Some("deploy")),
        Next::Confirm("deploy".to_owned())
    );
}

#[test]
fn what_was_never_in_effect_is_taken_back_once_its_maker_is_gone() {
    let pending = pending(None);
    assert_eq!(next(&pending, &now(200), Maker::AtWork, None), Next::Wait);
    assert!(matches!(
        next(&pending, &now(1), Maker::Gone, None),
        Next::TakeBack(_)
    ));
    assert!(matches!(
        next(&pending, &now(1), Maker::Gone, Some("deploy")),
        Next::TakeBack(_)
    ));
}

#[test]
fn what_another_boot_has_left_is_taken_back_whatever_the_clock_says() {
    let mut pending = pending(Some(5));
    pending.boot = "0".repeat(32);
    assert!(matches!(
        next(&pending, &now(1), Maker::Gone, Some("deploy")),
        Next::TakeBack(_)
    ));
    pending.boot = "garbage".to_owned();
    assert!(matches!(
        next(&pending, &now(1), Maker::Gone, None),
        Next::TakeBack(_)
    ));
}
