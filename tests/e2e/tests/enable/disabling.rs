use std::fs;

use crate::support::Scene;

#[test]
fn everything_is_as_before_without_host_agent_and_settings_and_again_changes_nothing() {
    let mut scene = Scene::new();
    let before = scene.seen();
    assert_eq!(scene.enable(&["--confirm-within", "never"]).code(), Some(0));
    scene.host.kill_agent().unwrap();
    fs::remove_file(scene.host.dir().join("keyroster-lookup")).unwrap();
    fs::write(scene.host.dir().join("agent.toml"), "nonsense").unwrap();
    let done = scene.disable(&["--dry-run"]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(done.stdout.contains("-AuthorizedKeysCommand "), "{done:?}");
    assert_ne!(scene.seen(), before);
    for _ in 0..2 {
        let done = scene.disable(&[]);
        assert_eq!(done.code(), Some(0), "{done:?}");
        assert_eq!(scene.seen(), before);
    }
    assert!(
        scene
            .host
            .lets_in(&scene.other.name, &scene.file_key)
            .unwrap()
    );
}

#[test]
fn a_change_that_waits_is_taken_back_and_whoever_waits_is_told() {
    let scene = Scene::new();
    let before = scene.seen();
    let mut enable = scene.waiting(&[]);
    assert_eq!(scene.disable(&[]).code(), Some(0));
    assert_eq!(
        enable.wait().unwrap().code(),
        Some(75),
        "{}",
        enable.output()
    );
    assert_eq!(scene.seen(), before);
}

#[test]
fn a_drop_in_that_was_edited_is_kept_aside() {
    let scene = Scene::enabled();
    let edited = fs::read_to_string(scene.drop_in()).unwrap() + "LogLevel INFO\n";
    fs::write(scene.drop_in(), &edited).unwrap();
    let done = scene.disable(&[]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(!scene.drop_in().exists());
    let kept = done
        .stdout
        .split('"')
        .find(|word| word.contains("edited-10-keyroster.conf"));
    assert_eq!(fs::read_to_string(kept.unwrap()).unwrap(), edited);
}

#[test]
fn without_a_record_the_drop_in_is_known_by_what_it_says() {
    let scene = Scene::enabled();
    fs::remove_dir_all(scene.state()).unwrap();
    let done = scene.disable(&[]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(!scene.drop_in().exists());
    assert!(!scene.granted_login().is_let_in().unwrap());
    // One that is none of ours stays.
    fs::write(scene.drop_in(), "LogLevel VERBOSE\n").unwrap();
    assert_eq!(scene.disable(&[]).code(), Some(0));
    assert!(scene.drop_in().exists());
}

#[test]
fn a_record_that_cannot_be_read_keeps_nobody_from_disabling() {
    let scene = Scene::enabled();
    fs::write(scene.state().join("enabled"), "{").unwrap();
    let done = scene.disable(&[]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(!scene.drop_in().exists());
}

#[test]
fn another_file_that_names_lookup_is_told_with_its_line_before_anything_changes() {
    let scene = Scene::enabled();
    let text = fs::read_to_string(scene.drop_in()).unwrap();
    let other = scene.drop_in().with_file_name("30-copy.conf");
    fs::write(&other, text).unwrap();
    let before = scene.seen();
    let done = scene.disable(&[]);
    assert_eq!(done.code(), Some(78), "{done:?}");
    assert!(done.stderr.contains("30-copy.conf:"), "{done:?}");
    assert_eq!(scene.seen(), before);
    // Wherever sshd reads it.
    let elsewhere = scene.keys.path().join("theirs");
    fs::rename(&other, &elsewhere).unwrap();
    fs::write(&other, format!("Include {}\n", elsewhere.display())).unwrap();
    let done = scene.disable(&[]);
    assert_eq!(done.code(), Some(78), "{done:?}");
    let place = format!("{}:", elsewhere.display());
    assert!(done.stderr.contains(&place), "{done:?}");
    fs::remove_file(other).unwrap();
    assert_eq!(scene.disable(&[]).code(), Some(0));
}

#[test]
fn a_configuration_that_needs_the_drop_in_is_not_left_broken() {
    let scene = Scene::enabled();
    let group = "AuthorizedKeysCommand /usr/bin/true\n";
    // sshd refuses a command without its user, which only our drop-in sets.
    fs::write(scene.drop_in().with_file_name("30-half.conf"), group).unwrap();
    let before = scene.seen();
    let done = scene.disable(&[]);
    assert_eq!(done.code(), Some(78), "{done:?}");
    assert!(done.stderr.contains("without the drop-in"), "{done:?}");
    assert_eq!(scene.seen(), before);
}

#[test]
fn nothing_of_sshd_is_changed_where_it_was_never_enabled() {
    let scene = Scene::new();
    let before = scene.seen();
    let done = scene.disable(&[]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert_eq!(scene.seen(), before);
}
