//! `disable` looks at everything that could go wrong before it changes anything, and undoes what goes wrong afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use crate::support::Scene;

/// `disable` of a scene without `--sshd-config`, where the machine's own sshd has no configuration, once `first` was done there.
fn disable_all(scene: &Scene, first: &str, arguments: &[&str]) -> Output {
    let script = format!("mount -t tmpfs none /etc/ssh && {first} exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--", "sh", "-c", &script, "sh"]);
    command.arg(scene.host.dir().join("keyroster-agent"));
    command.args(["disable", "--state"]).arg(scene.state());
    command.args(arguments).output().unwrap()
}

#[test]
fn the_last_way_in_is_not_taken_away_unless_that_is_asked_for() {
    let scene = Scene::with(false, &[]);
    let before = scene.seen();
    let dir = scene.host.dir().join("break-glass");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.join(&scene.other.name), scene.file_key.public_line()).unwrap();
    let done = scene.enable(&["--only-keyroster", "--confirm-within", "never"]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    let enabled = scene.seen();
    let refused = scene.disable(&[]);
    assert_eq!(refused.code(), Some(78), "{refused:?}");
    assert!(
        refused.stderr.contains("--without-break-glass"),
        "{refused:?}"
    );
    assert_eq!(scene.seen(), enabled);
    assert!(
        scene
            .host
            .lets_in(&scene.other.name, &scene.file_key)
            .unwrap()
    );
    let done = scene.disable(&["--without-break-glass"]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert_eq!(scene.seen(), before);
}

#[test]
fn while_sshd_refuses_its_configuration_and_could_not_be_told_everything_stays() {
    let scene = Scene::enabled();
    let broken = scene.drop_in().with_file_name("40-broken.conf");
    fs::write(&broken, "NoSuchKeyword yes\n").unwrap();
    let before = scene.seen();
    let done = scene.disable(&[]);
    assert_eq!(done.code(), Some(78), "{done:?}");
    assert!(done.stderr.contains("NoSuchKeyword"), "{done:?}");
    assert_eq!(scene.seen(), before);
    fs::remove_file(broken).unwrap();
    assert!(scene.granted_login().is_let_in().unwrap());
}

#[test]
fn where_sshd_cannot_be_told_after_all_the_drop_in_comes_back() {
    let scene = Scene::enabled();
    let before = scene.seen();
    let script = format!(
        "#!/bin/sh\nfor last; do :; done\nif [ \"$last\" = -t ] && [ \"$2\" = {} ] && [ ! -e {} ]; then exit 1; fi\n\
         exec /usr/sbin/sshd \"$@\"\n",
        scene.config().display(),
        scene.drop_in().display()
    );
    let sshd = scene.keys.file("sshd", script, 0o755).unwrap();
    let done = scene.disable(&["--sshd", &sshd.display().to_string()]);
    assert_eq!(done.code(), Some(78), "{done:?}");
    assert_eq!(scene.seen(), before);
    assert!(scene.granted_login().is_let_in().unwrap());
    assert_eq!(scene.disable(&[]).code(), Some(0));
}

#[test]
fn every_configuration_that_is_written_down_is_disabled_unless_one_is_named() {
    let scene = Scene::new();
    let before = scene.seen();
    let _waiting = scene.waiting(&[]);
    // The records of another one, and its change that waits, stay.
    let other = scene.keys.dir("sshd_config.d", 0o755).unwrap();
    fs::write(other.with_file_name("sshd_config"), "").unwrap();
    let other = other.with_file_name("sshd_config").display().to_string();
    let done = scene.disable_of(&other, &[]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(scene.pending() && scene.state().join("enabled").exists());
    assert_ne!(scene.seen(), before);

    let done = disable_all(&scene, "", &[]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(scene.seen(), before);
    assert!(!scene.pending() && !scene.state().join("enabled").exists());
    assert!(!scene.granted_login().is_let_in().unwrap());
}

#[test]
fn without_an_sshd_there_is_nobody_to_tell() {
    let scene = Scene::enabled();
    let done = scene.disable(&["--sshd", "/nowhere/sshd"]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(!scene.drop_in().exists());
}

#[test]
fn an_sshd_whose_directory_at_run_time_is_gone_is_asked_all_the_same() {
    let scene = Scene::enabled();
    let hide = "mkdir /etc/ssh/run && mount --rbind /run /etc/ssh/run && mount -t tmpfs -o mode=755 none /run &&\n\
        for entry in /etc/ssh/run/*; do [ \"$entry\" = /etc/ssh/run/sshd ] || [ ! -d \"$entry\" ] ||\n\
        { mkdir \"/run/${entry##*/}\" && mount --rbind \"$entry\" \"/run/${entry##*/}\"; }; done && [ ! -e /run/sshd ] &&";
    let done = disable_all(&scene, hide, &[]);
    assert!(done.status.success(), "{done:?}");
    assert!(!scene.drop_in().exists());
}
