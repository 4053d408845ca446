use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::testing::{SmallDisk, fingerprints, revoked_keys, tag};

fn place() -> (TempDir, KrlFile) {
    let dir = tempfile::tempdir().unwrap();
    let file = KrlFile::at(&dir.path().join("revoked.krl")).unwrap();
    (dir, file)
}

fn found(file: &KrlFile) -> Found {
    file.read().unwrap()
}

fn listed(at: Tag, numbers: &[u8]) -> Found {
    Found::List(at, fingerprints(numbers))
}

fn refusal(file: &KrlFile) -> String {
    let list = revoked_keys(tag(1, 9), 0, &[1]);
    file.put(&list).unwrap_err().to_string()
}

#[test]
fn a_list_takes_the_place_of_the_one_before_and_everybody_may_read_it() {
    let (dir, file) = place();
    assert_eq!(found(&file), Found::Nothing);
    file.put_empty(tag(0, 0)).unwrap();
    assert_eq!(found(&file), listed(tag(0, 0), &[]));
    for numbers in [&[1][..], &[1, 2]] {
        let stamp = file.put(&revoked_keys(tag(1, 7), 0, numbers)).unwrap();
        assert_eq!(found(&file), listed(tag(1, 7), numbers));
        assert_eq!(file.stamp(), Some(stamp));
    }
    let mode = fs::metadata(file.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_crash_before_the_last_step_leaves_the_list_of_before() {
    let (dir, file) = place();
    file.put(&revoked_keys(tag(1, 7), 0, &[1])).unwrap();
    let before = fs::read(file.path()).unwrap();
    let staged = file.stage(tag(1, 8), 0, &fingerprints(&[1, 2])).unwrap();
    // The process ends here: nothing of what would follow is done.
    std::mem::forget(staged);
    assert_eq!(fs::read(file.path()).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    file.put(&revoked_keys(tag(1, 9), 0, &[1, 2, 3])).unwrap();
    assert_eq!(found(&file), listed(tag(1, 9), &[1, 2, 3]));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_full_disk_leaves_the_list_of_before() {
    let disk = SmallDisk::new("64k");
    let file = KrlFile::at(&disk.path().join("revoked.krl")).unwrap();
    file.put(&revoked_keys(tag(1, 7), 0, &[1])).unwrap();
    disk.fill();
    let more: Vec<u8> = (0..=255).collect();
    let refused = file.put(&revoked_keys(tag(1, 8), 0, &more)).unwrap_err();
    assert!(refused.to_string().starts_with("can't write"), "{refused}");
    assert_eq!(found(&file), listed(tag(1, 7), &[1]));
}

#[test]
fn a_link_or_a_pipe_in_its_place_is_refused() {
    let (dir, file) = place();
    let target = dir.path().join("target");
    fs::write(&target, "").unwrap();
    symlink(&target, file.path()).unwrap();
    assert!(refusal(&file).ends_with("it is a symbolic link"));
    assert_eq!(fs::read(&target).unwrap(), b"");
    fs::remove_file(file.path()).unwrap();
    let made = Command::new("mkfifo").arg(file.path()).status().unwrap();
    assert!(made.success());
    assert!(refusal(&file).ends_with("it is not a plain file"));
}

#[test]
fn a_directory_that_others_can_write_or_own_is_refused() {
    let (dir, file) = place();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(refusal(&file).ends_with("group or others can write to it"));
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    chown(dir.path(), Some(12_345), None).unwrap();
    assert!(refusal(&file).contains("belongs neither to root"));
    assert!(!file.path().exists());
}

#[test]
fn a_file_of_somebody_else_is_never_replaced() {
    let (_dir, file) = place();
    for foreign in [
        &b"ssh-ed25519 AAAA\n"[..],
        &write_krl(
            &KrlHead {
                version: 1,
                generated_at: 0,
                comment: "the admin's own".to_owned(),
            },
            &fingerprints(&[9]),
        ),
    ] {
        fs::write(file.path(), foreign).unwrap();
        assert!(refusal(&file).contains("not written by keyroster"));
        assert_eq!(fs::read(file.path()).unwrap(), foreign);
    }
}

#[test]
fn what_is_damaged_or_empty_is_seen_and_mended() {
    let (_dir, file) = place();
    file.put(&revoked_keys(tag(1, 7), 0, &[1, 2])).unwrap();
    let whole = fs::read(file.path()).unwrap();
    for (left, seen) in [(whole.len() - 1, Found::Damaged), (0, Found::Nothing)] {
        fs::write(file.path(), &whole[..left]).unwrap();
        assert_eq!(found(&file), seen);
        file.put(&revoked_keys(tag(1, 7), 0, &[1, 2])).unwrap();
        assert_eq!(found(&file), listed(tag(1, 7), &[1, 2]));
    }
}

#[test]
fn a_list_that_sshd_could_not_read_in_time_is_not_written() {
    let (_dir, file) = place();
    let most = u32::try_from(MAX_REVOKED).unwrap();
    let bytes: Vec<u8> = (0..=most)
        .flat_map(|number| {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            digest
        })
        .collect();
    let keys = Fingerprints::from_bytes(&bytes).unwrap();
    let refused = file.stage(tag(1, 7), 0, &keys).unwrap_err();
    assert!(matches!(refused, KrlFileError::TooLong { .. }), "{refused}");
    assert_eq!(found(&file), Found::Nothing);
}

#[test]
fn a_path_without_a_name_is_refused() {
    for path in ["/", "/etc/.."] {
        assert!(KrlFile::at(Path::new(path)).is_err(), "{path}");
    }
}
