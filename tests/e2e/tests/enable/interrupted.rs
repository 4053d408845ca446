//! `enable` dies: whoever waits puts things right.

use std::fs;

use keyroster_testkit::until;

use crate::support::{LIMIT, Scene};

/// An sshd that kills whoever runs it for the `nth` time with `-t`.
fn deadly_sshd(scene: &Scene, nth: usize) -> String {
    let dir = scene.keys.path().display();
    let script = format!(
        "#!/bin/sh\nfor word; do last=$word; done\nif [ \"$last\" = -t ]; then\n\
         echo x >> {dir}/count\n[ \"$(wc -l < {dir}/count)\" -eq {nth} ] && kill -9 $PPID\nfi\nexec /usr/sbin/sshd \"$@\"\n"
    );
    let path = scene.keys.file("sshd", script, 0o755).unwrap();
    path.display().to_string()
}

#[test]
fn one_that_is_killed_while_it_waits_is_taken_back_or_confirmed_all_the_same() {
    let scene = Scene::new();
    let before = scene.seen();
    let mut enable = scene.waiting(&["--confirm-within", "3s"]);
    enable.kill().unwrap();
    scene.wait_until_over();
    assert_eq!(scene.seen(), before);
    assert!(!scene.granted_login().is_let_in().unwrap());

    let mut enable = scene.waiting(&[]);
    enable.kill().unwrap();
    let login = scene.stay(&scene.account, &scene.key);
    scene.wait_until_over();
    drop(login);
    assert_ne!(scene.seen(), before);
    assert!(scene.granted_login().is_let_in().unwrap());
}

#[test]
fn one_that_is_killed_at_any_check_leaves_what_was_before() {
    // As it is, before it is asked and once more when all must hold; as it would be; and as it was written: the last one comes with
    // the file in place.
    for nth in 1..=4 {
        let scene = Scene::new();
        let before = scene.seen();
        let sshd = deadly_sshd(&scene, nth);
        let done = scene.enable(&["--sshd", &sshd]);
        assert_eq!(done.code(), None, "{nth}: {done:?}");
        scene.wait_until_over();
        assert_eq!(scene.seen(), before, "{nth}");
        assert!(!scene.granted_login().is_let_in().unwrap(), "{nth}");
        let log = scene.host.sshd().log();
        assert_eq!(
            log.contains("Received SIGHUP"),
            nth == 4,
            "{nth}: only what was written is undone"
        );
    }
}

#[test]
fn a_change_of_an_earlier_boot_is_taken_back_by_whoever_comes_first() {
    let scene = Scene::new();
    let before = scene.seen();
    for comes in [&["--finish"][..], &["--confirm-within", "never"]] {
        let mut enable = scene.waiting(&[]);
        enable.kill().unwrap();
        let watcher = watcher_of(&scene);
        let pending = scene.state().join("pending");
        let text = fs::read_to_string(&pending).unwrap();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let boot = boot.trim().replace('-', "");
        assert!(text.contains(&boot));
        kill(watcher);
        fs::write(&pending, text.replace(&boot, &"0".repeat(32))).unwrap();
        let done = scene.enable(comes);
        assert_eq!(done.code(), Some(0), "{done:?}");
        assert!(!scene.pending());
        if comes == ["--finish"] {
            assert_eq!(scene.seen(), before);
        } else {
            assert!(
                done.stdout.contains("an earlier change was taken back"),
                "{done:?}"
            );
            assert_eq!(scene.disable(&[]).code(), Some(0));
        }
    }
    assert_eq!(scene.seen(), before);
}

#[test]
fn two_at_once_do_not_get_in_each_others_way() {
    let scene = Scene::new();
    let _first = scene.waiting(&[]);
    let second = scene.enable(&[]);
    assert_eq!(second.code(), Some(75), "{second:?}");
    assert!(
        second.stderr.contains("waits for its first login"),
        "{second:?}"
    );
    // While somebody is at work, nobody else begins.
    let lock = fs::File::open(scene.state().join("lock")).unwrap();
    until("the lock", LIMIT, || Ok(lock.try_lock().ok())).unwrap();
    for done in [scene.enable(&[]), scene.disable(&[])] {
        assert_eq!(done.code(), Some(75), "{done:?}");
        assert!(done.stderr.contains("at work"), "{done:?}");
    }
    drop(lock);
    assert_eq!(scene.disable(&[]).code(), Some(0));
    assert!(!scene.pending());
}

/// The process that waits for the first login of this scene.
pub fn watcher_of(scene: &Scene) -> u32 {
    let state = scene.state();
    let state = state.as_os_str().as_encoded_bytes();
    let found = fs::read_dir("/proc").unwrap().find_map(|entry| {
        let pid: u32 = entry.unwrap().file_name().to_str()?.parse().ok()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let mut words = line.split(|byte| *byte == 0);
        (words.any(|word| word == b"--finish") && words.any(|word| word == state)).then_some(pid)
    });
    found.unwrap()
}

pub fn kill(pid: u32) {
    let status = std::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    until("it to be gone", LIMIT, || {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        Ok((state.is_empty() || state.contains(") Z ")).then_some(()))
    })
    .unwrap();
}

#[test]
fn a_watcher_has_a_session_of_its_own() {
    let scene = Scene::new();
    let _enable = scene.waiting(&[]);
    let pid = watcher_of(&scene);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let behind = stat.rsplit_once(") ").unwrap().1;
    let session: u32 = behind.split(' ').nth(3).unwrap().parse().unwrap();
    assert_eq!(session, pid);
    assert_eq!(scene.disable(&[]).code(), Some(0));
    scene.wait_until_over();
}
