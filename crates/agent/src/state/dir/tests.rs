use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use rustix::fs::mkfifoat;

use super::*;
use crate::testing::SmallDisk;

const CAP: usize = 64;

struct Scene {
    dir: StateDir,
    temp: tempfile::TempDir,
}

fn scene() -> Scene {
    let temp = tempfile::tempdir().unwrap();
    let dir = StateDir::create(&temp.path().join("state")).unwrap();
    Scene { dir, temp }
}

impl Scene {
    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join("state").join(name)
    }

    fn read(&self) -> Result<Option<Vec<u8>>, StateError> {
        self.dir.read("file", CAP, Secrecy::Public)
    }

    fn written(self) -> Self {
        self.dir.write("file", b"good").unwrap();
        self
    }

    fn chmod(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[track_caller]
fn untrusted<T: std::fmt::Debug>(result: Result<T, StateError>, expected: &str) {
    match result.unwrap_err() {
        StateError::Untrusted { why, .. } => assert_eq!(why, expected),
        other => panic!("{other}"),
    }
}

#[test]
fn what_was_written_is_read_and_private() {
    let scene = scene().written();
    assert_eq!(scene.read().unwrap().unwrap(), b"good");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&scene.path("file")), 0o600);
    assert_eq!(mode(&scene.path("")), 0o700);
}

#[test]
fn a_file_that_is_not_there_is_absence_and_no_error() {
    assert!(scene().read().unwrap().is_none());
}

#[test]
fn a_symbolic_link_is_refused_even_to_a_good_file() {
    let scene = scene();
    scene.dir.write("other", b"good").unwrap();
    symlink(scene.path("other"), scene.path("file")).unwrap();
    untrusted(scene.read(), "it is a symbolic link");
}

#[test]
fn a_pipe_and_a_directory_are_refused_without_waiting() {
    let piped = scene();
    mkfifoat(CWD, piped.path("file"), PRIVATE_FILE).unwrap();
    untrusted(piped.read(), "it is not a plain file");
    let nested = scene();
    std::fs::create_dir(nested.path("file")).unwrap();
    untrusted(nested.read(), "it is not a plain file");
}

#[test]
fn a_file_that_group_or_others_can_write_is_refused() {
    let scene = scene().written();
    for mode in [0o620, 0o602, 0o666] {
        scene.chmod("file", mode);
        untrusted(scene.read(), "group or others can write it");
    }
    scene.chmod("file", 0o644);
    assert!(scene.read().is_ok());
}

#[test]
fn a_private_key_that_group_or_others_can_read_is_refused() {
    let scene = scene().written();
    for mode in [0o640, 0o604] {
        scene.chmod("file", mode);
        untrusted(
            scene.dir.read("file", CAP, Secrecy::Secret),
            "group or others can read it",
        );
    }
}

#[test]
fn a_file_of_another_user_is_refused() {
    let scene = scene().written();
    chown(scene.path("file"), Some(4242), None).unwrap();
    untrusted(scene.read(), "it belongs to another user");
}

#[test]
fn a_file_longer_than_its_cap_is_refused() {
    let scene = scene();
    scene.dir.write("file", &[b'x'; CAP]).unwrap();
    assert!(scene.read().is_ok());
    scene.dir.write("file", &[b'x'; CAP + 1]).unwrap();
    assert!(matches!(scene.read(), Err(StateError::Corrupt { .. })));
}

#[test]
fn a_directory_that_others_can_write_or_that_is_a_link_is_refused() {
    let scene = scene();
    symlink(scene.path(""), scene.temp.path().join("link")).unwrap();
    assert!(StateDir::open(&scene.temp.path().join("link")).is_err());
    scene.chmod("", 0o770);
    untrusted(
        StateDir::open(&scene.path("")),
        "group or others can write to it",
    );
}

#[test]
fn a_directory_inside_that_belongs_to_another_user_is_refused() {
    let scene = scene();
    scene.dir.make_sub("sub").unwrap();
    chown(scene.path("sub"), Some(4242), None).unwrap();
    untrusted(scene.dir.sub("sub"), "it belongs to another user");
}

#[test]
fn what_root_makes_belongs_to_the_directorys_owner() {
    use std::os::unix::fs::MetadataExt as _;
    let scene = scene();
    chown(scene.path(""), Some(4242), Some(4343)).unwrap();
    let dir = StateDir::open(&scene.path("")).unwrap();
    dir.write("file", b"good").unwrap();
    dir.make_sub("sub").unwrap();
    let _lock = dir.try_lock("lock").unwrap().unwrap();
    for name in ["file", "sub", "lock"] {
        let metadata = std::fs::metadata(scene.path(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (4242, 4343), "{name}");
    }
    assert_eq!(
        dir.read("file", CAP, Secrecy::Secret).unwrap().unwrap(),
        b"good"
    );
}

#[test]
fn a_full_disk_leaves_the_old_file_and_no_remains() {
    let disk = SmallDisk::new("64k");
    let dir = StateDir::create(&disk.path().join("state")).unwrap();
    dir.write("file", b"good").unwrap();
    disk.fill();
    let written = dir.write("file", &[b'x'; 8192]);
    assert!(
        matches!(
            written,
            Err(StateError::Io {
                action: "write",
                ..
            })
        ),
        "{written:?}"
    );
    assert_eq!(
        dir.read("file", CAP, Secrecy::Public).unwrap().unwrap(),
        b"good"
    );
    assert_eq!(
        std::fs::read_dir(disk.path().join("state"))
            .unwrap()
            .count(),
        1
    );
}

#[test]
fn remains_of_a_process_that_crashed_are_neither_used_nor_in_the_way() {
    let scene = scene().written();
    std::fs::write(
        scene.path(&format!(".file.{}", std::process::id())),
        b"half",
    )
    .unwrap();
    assert_eq!(scene.read().unwrap().unwrap(), b"good");
    scene.dir.write("file", b"next").unwrap();
    assert_eq!(scene.read().unwrap().unwrap(), b"next");
}

#[test]
fn a_lock_is_held_by_one_at_a_time_and_given_back() {
    let scene = scene();
    let held = scene.dir.try_lock("lock").unwrap();
    assert!(held.is_some());
    assert!(scene.dir.try_lock("lock").unwrap().is_none());
    drop(held);
    assert!(scene.dir.try_lock("lock").unwrap().is_some());
}

#[test]
fn removing_what_is_not_there_is_no_error() {
    scene().dir.remove("file").unwrap();
}
