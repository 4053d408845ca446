//! The way in while keyroster does not answer, as `enable` proves it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::Scene;

/// A scene in which only this line for `other` stands between keyroster and a lock-out.
fn scene(options: &str) -> Scene {
    let scene = Scene::with(false, &[]);
    let dir = scene.host.dir().join("break-glass");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let line = format!("{options}{}\n", scene.file_key.public_line());
    fs::write(dir.join(&scene.other.name), line).unwrap();
    scene
}

const ONLY: &str = "--only-keyroster";

#[test]
fn a_break_glass_key_of_the_ssh_agent_logs_in_by_its_file_alone_and_counts_as_a_drill() {
    let scene = scene("");
    scene.agent.add(&scene.file_key).unwrap();
    let key = scene.file_key.fingerprint().unwrap();
    let shown = format!(
        "proven: a login to \"{}\" with the break-glass key {key}",
        scene.other.name
    );
    // The group is that of the account itself: sshd runs the key command for it alone.
    let group = scene.other.name.clone();
    scene.grant(&scene.other);
    let done = scene.enable(&[ONLY, "--dry-run", "--match-group", &group]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(done.stdout.contains(&shown), "{done:?}");
    let drills = scene.state().join("break-glass-drills");
    assert!(!drills.exists());
    let done = scene.enable(&[ONLY, "--confirm-within", "never"]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(done.stdout.contains(&shown), "{done:?}");
    assert!(fs::read_to_string(drills).unwrap().contains(&key));
    let again = scene.enable_alone(&[ONLY]);
    assert_eq!(again.code(), Some(0), "{again:?}");
    let drill = format!(
        "a drill of 0 days ago logged in to \"{}\" with {key}",
        scene.other.name
    );
    assert!(again.stdout.contains(&drill), "{again:?}");
}

#[test]
fn a_break_glass_key_that_stands_in_its_file_and_is_not_let_in_stops_it() {
    let scene = scene("from=\"192.0.2.0/24\" ");
    let before = scene.seen();
    let done = scene.enable(&[ONLY, "--dry-run"]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(
        done.stdout
            .contains("not proven: that somebody holds a private half"),
        "{done:?}"
    );
    let key = scene.file_key.private_path().display().to_string();
    let done = scene.enable(&[ONLY, "--break-glass-key", &key]);
    assert_eq!(done.code(), Some(78), "{done:?}");
    assert!(
        done.stderr.contains("the break-glass way in does not work"),
        "{done:?}"
    );
    assert!(done.stderr.contains("hint: "), "{done:?}");
    assert_eq!(scene.seen(), before);
}

#[test]
fn a_key_that_is_named_for_break_glass_and_stands_in_no_file_stops_it() {
    let scene = scene("");
    let before = scene.seen();
    let done = scene.enable(&[ONLY, "--break-glass-key", &scene.key_path()]);
    assert_eq!(done.code(), Some(78), "{done:?}");
    assert!(
        done.stderr.contains("stands in no break-glass file"),
        "{done:?}"
    );
    assert_eq!(scene.seen(), before);
}
