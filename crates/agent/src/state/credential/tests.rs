use std::os::unix::fs::PermissionsExt as _;

use keyroster_testkit::TestCa;

use super::*;
use crate::testing::{SmallDisk, credential, enrolled};

fn scene() -> (tempfile::TempDir, StateDir, Credential) {
    let temp = tempfile::tempdir().unwrap();
    let credential = credential(&TestCa::new().unwrap(), "https://keys.example");
    let dir = enrolled(&temp.path().join("state"), &credential);
    (temp, dir, credential)
}

#[test]
fn a_credential_survives_the_disk_and_can_be_used() {
    let (_temp, dir, credential) = scene();
    let loaded = Credential::load(&dir).unwrap().unwrap();
    assert_eq!(loaded.host, credential.host);
    assert_eq!(
        (&*loaded.key, &loaded.certificate),
        (&*credential.key, &credential.certificate)
    );
    loaded.identity().unwrap();
    loaded.trust().unwrap();
}

#[test]
fn a_host_that_is_not_enrolled_has_none() {
    let temp = tempfile::tempdir().unwrap();
    let dir = StateDir::create(&temp.path().join("state")).unwrap();
    assert!(Credential::load(&dir).unwrap().is_none());
}

#[test]
fn a_new_credential_takes_the_old_ones_place_whole_and_nothing_else_remains() {
    let (temp, dir, old) = scene();
    let new = Credential {
        certificate: "new".to_owned(),
        key: Zeroizing::new("new".to_owned()),
        ..old
    };
    new.save(&dir).unwrap();
    let loaded = Credential::load(&dir).unwrap().unwrap();
    assert_eq!(
        (loaded.certificate.as_str(), loaded.key.as_str()),
        ("new", "new")
    );
    let names: Vec<_> = std::fs::read_dir(temp.path().join("state"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(CREDENTIAL))
        .collect();
    assert_eq!(names, [CREDENTIAL]);
}

#[test]
fn on_a_full_disk_the_old_credential_stays_whole() {
    let disk = SmallDisk::new("128k");
    let old = credential(&TestCa::new().unwrap(), "https://keys.example");
    let dir = enrolled(&disk.path().join("state"), &old);
    disk.fill();
    let new = Credential {
        certificate: "new".to_owned(),
        ..old.clone()
    };
    assert!(new.save(&dir).is_err());
    assert_eq!(
        Credential::load(&dir).unwrap().unwrap().certificate,
        old.certificate
    );
}

#[test]
fn what_a_crash_left_half_written_is_not_used_and_not_in_the_way() {
    let (_temp, dir, old) = scene();
    let half = dir
        .make_sub(&format!(".{CREDENTIAL}.{}", std::process::id()))
        .unwrap();
    half.write(KEY, b"half").unwrap();
    assert_eq!(Credential::load(&dir).unwrap().unwrap().key, old.key);
    old.save(&dir).unwrap();
    assert_eq!(Credential::load(&dir).unwrap().unwrap().key, old.key);
}

#[test]
fn a_credential_with_a_part_missing_or_spoilt_is_an_error_and_not_an_unenrolled_host() {
    for name in [HOST, KEY, CERTIFICATE, CA, SNAPSHOT_KEY] {
        let (temp, dir, _) = scene();
        std::fs::remove_file(temp.path().join("state/credential").join(name)).unwrap();
        assert!(Credential::load(&dir).is_err(), "without {name}");
    }
    for (name, text) in [
        (HOST, "{}"),
        (
            HOST,
            "{\"host_id\":\"../x\",\"name\":\"a\",\"server\":\"s\",\"epoch\":1,\"revision\":1}",
        ),
        (SNAPSHOT_KEY, "ssh-rsa AAAA"),
        (KEY, "\u{0}"),
    ] {
        let (_temp, dir, _) = scene();
        dir.sub(CREDENTIAL)
            .unwrap()
            .write(name, text.as_bytes())
            .unwrap();
        let usable = Credential::load(&dir).is_ok_and(|loaded| loaded.unwrap().identity().is_ok());
        assert!(!usable, "{name}: {text}");
    }
}

#[test]
fn a_private_key_that_others_can_read_is_refused() {
    let (temp, dir, _) = scene();
    let key = temp.path().join("state/credential").join(KEY);
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        Credential::load(&dir),
        Err(StateError::Untrusted { .. })
    ));
}

#[test]
fn no_debug_output_shows_the_key() {
    let (_temp, _dir, credential) = scene();
    assert!(!format!("{credential:?}").contains("PRIVATE KEY"));
}
