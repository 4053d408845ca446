use super::*;

fn enabled_in(config: &str) -> Enabled {
    Enabled {
        subject: Subject {
            sshd: "/usr/sbin/sshd".into(),
            config: config.into(),
            name: "10-keyroster.conf".to_owned(),
        },
        original: Content::drop_in(b"\xff"),
        written: Bytes(b"x".to_vec()),
    }
}

#[test]
fn records_come_back_as_they_were_written_and_go_when_they_are_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keyroster");
    assert!(Records::open(&path).unwrap().is_none());
    let records = Records::create(&path).unwrap();
    let enabled = enabled_in("/etc/ssh/sshd_config");
    records.set_enabled(&enabled).unwrap();
    let again = Records::open(&path).unwrap().unwrap();
    assert_eq!(again.enabled().unwrap(), std::slice::from_ref(&enabled));
    again.forget_enabled(&enabled.subject.config).unwrap();
    assert_eq!(again.enabled().unwrap(), []);
}

#[test]
fn each_configuration_has_a_record_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::create(&dir.path().join("keyroster")).unwrap();
    let [usual, other] = ["/etc/ssh/sshd_config", "/etc/other/sshd_config"].map(enabled_in);
    for one in [&usual, &other, &usual] {
        records.set_enabled(one).unwrap();
    }
    assert_eq!(records.enabled().unwrap().len(), 2);
    let found = records.enabled_in(&other.subject.config).unwrap();
    assert_eq!(found.as_ref(), Some(&other));
    records.forget_enabled(&usual.subject.config).unwrap();
    assert_eq!(records.enabled().unwrap(), [other]);
}

#[test]
fn what_was_there_is_also_a_plain_file_for_scripts_with_its_mode_and_owner() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = tempfile::tempdir().unwrap();
    let records = Records::create(&dir.path().join("keyroster")).unwrap();
    let file = records.path().join("original-10-keyroster.conf");
    let usual = Enabled {
        original: Content::File {
            bytes: Bytes(b"before\n".to_vec()),
            mode: 0o640,
            uid: 0,
            gid: 4,
        },
        ..enabled_in("/etc/ssh/sshd_config")
    };
    records.set_enabled(&usual).unwrap();
    let metadata = std::fs::metadata(&file).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.gid()), (0o640, 4));
    records
        .set_enabled(&enabled_in("/etc/other/sshd_config"))
        .unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"before\n");
    records.forget_enabled(&usual.subject.config).unwrap();
    assert!(!file.exists());
    let script = include_str!("../../../../../packaging/scripts/put-back.sh");
    assert!(script.contains(ORIGINAL));
}

#[test]
fn a_directory_that_is_not_roots_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(1), None).unwrap();
    assert!(Records::open(dir.path()).is_err());
}

#[test]
fn one_holds_the_lock_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::create(&dir.path().join("k")).unwrap();
    let held = records.try_lock().unwrap();
    assert!(held.is_some());
    assert!(records.try_lock().unwrap().is_none());
    assert!(records.try_watch().unwrap().is_some());
    drop(held);
    assert!(records.try_lock().unwrap().is_some());
}
