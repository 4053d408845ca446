//! What must not hold up whoever waits for the first login: neither what it asks nor a disk.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use keyroster_testkit::until;

use crate::support::{LIMIT, Scene};

/// An sshd that can't answer what counts for an account, while the file `broken` names the account.
fn unsure_sshd(scene: &Scene) -> String {
    let dir = scene.keys.path().display();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *\" -T \"*user=\"$(cat {dir}/broken 2>/dev/null || echo -)\",*)\n\
         echo \"$*\" >> {dir}/asked; exit 1;; esac\nexec /usr/sbin/sshd \"$@\"\n"
    );
    let path = scene.keys.file("sshd", script, 0o755).unwrap();
    path.display().to_string()
}

fn wait_until_asked(scene: &Scene) {
    let asked = scene.keys.path().join("asked");
    until("the login to be judged", LIMIT, || {
        Ok(asked.exists().then_some(()))
    })
    .unwrap();
}

#[test]
fn a_login_that_cannot_be_judged_neither_confirms_nor_keeps_the_change_from_being_taken_back() {
    let scene = Scene::new();
    let before = scene.seen();
    let sshd = unsure_sshd(&scene);
    let _enable = scene.waiting(&["--sshd", &sshd, "--confirm-within", "10s"]);
    fs::write(scene.keys.path().join("broken"), &scene.account.name).unwrap();
    let _login = scene.stay(&scene.account, &scene.key);
    wait_until_asked(&scene);
    scene.wait_until_over();
    assert_eq!(scene.seen(), before);
}

#[test]
fn a_login_that_cannot_be_judged_does_not_hide_another() {
    let scene = Scene::new();
    let before = scene.seen();
    let sshd = unsure_sshd(&scene);
    let mut enable = scene.waiting(&["--sshd", &sshd]);
    fs::write(scene.keys.path().join("broken"), &scene.other.name).unwrap();
    let _unsure = scene.stay(&scene.other, &scene.file_key);
    wait_until_asked(&scene);
    let _login = scene.stay(&scene.account, &scene.key);
    let done = enable.wait().unwrap();
    assert_eq!(done.code(), Some(0), "{}", enable.output());
    assert_ne!(scene.seen(), before);
}

#[test]
fn a_record_that_cannot_be_read_for_a_while_is_looked_at_again() {
    let scene = Scene::new();
    let before = scene.seen();
    let mut enable = scene.waiting(&["--confirm-within", "10s"]);
    enable.kill().unwrap();
    let pending = scene.state().join("pending");
    let text = fs::read_to_string(&pending).unwrap();
    fs::write(&pending, "{").unwrap();
    let broken = Instant::now();
    until("a look to have met it", LIMIT, || {
        Ok((broken.elapsed() > LOOKS_APART + Duration::from_secs(2)).then_some(()))
    })
    .unwrap();
    fs::write(&pending, text).unwrap();
    scene.wait_until_over();
    assert_eq!(scene.seen(), before);
}

#[test]
fn settings_that_cannot_be_read_keep_nobody_from_taking_back_or_confirming() {
    let scene = Scene::new();
    let before = scene.seen();
    let settings = scene.host.dir().join("agent.toml");
    let sound = fs::read_to_string(&settings).unwrap();
    let mut enable = scene.waiting(&["--confirm-within", "1h"]);
    fs::write(&settings, "nonsense").unwrap();
    assert_eq!(scene.enable(&["--confirm"]).code(), Some(0));
    assert_eq!(enable.wait().unwrap().code(), Some(0));
    assert_ne!(scene.seen(), before);
    assert_eq!(scene.disable(&[]).code(), Some(0));

    fs::write(&settings, &sound).unwrap();
    let mut enable = scene.waiting(&["--confirm-within", "1h"]);
    enable.kill().unwrap();
    let pending = scene.state().join("pending");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let boot = boot.trim().replace('-', "");
    let text = fs::read_to_string(&pending).unwrap();
    fs::write(&settings, "nonsense").unwrap();
    crate::interrupted::kill(crate::interrupted::watcher_of(&scene));
    fs::write(&pending, text.replace(&boot, &"0".repeat(32))).unwrap();
    let done = scene.enable(&["--finish"]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert_eq!(scene.seen(), before);
}

/// Fills the disk of the records, which is one of its own then, once the change is made.
#[test]
fn a_full_disk_neither_repeats_a_take_back_nor_forgets_a_login() {
    let scene = Scene::new();
    let before = scene.seen();
    let small = SmallDisk::over(&scene);
    let mut enable = scene.waiting(&["--confirm-within", "3s"]);
    enable.kill().unwrap();
    small.fill();
    scene.wait_until_over();
    assert_eq!(scene.seen(), before);
    let log = scene.host.sshd().log();
    assert_eq!(log.matches("Received SIGHUP").count(), 2, "{log}");

    small.empty();
    let mut enable = scene.waiting(&["--confirm-within", "1h"]);
    enable.kill().unwrap();
    small.fill();
    let _login = scene.stay(&scene.account, &scene.key);
    scene.wait_until_over();
    assert_ne!(scene.seen(), before);
}

/// The longest between two looks: after one that has failed.
const LOOKS_APART: Duration = Duration::from_secs(5);

/// A filesystem of some pages under the records; gone when it is dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn over(scene: &Scene) -> Self {
        let state = scene.state();
        fs::create_dir(&state).unwrap();
        run(
            "mount",
            &["-t", "tmpfs", "-o", "size=64k,mode=700", "none"],
            &state,
        );
        Self(state)
    }

    fn fill(&self) {
        let ballast = self.0.join("ballast");
        let wanted = vec![0; 1024 * 1024];
        assert!(fs::write(&ballast, wanted).is_err());
        assert!(fs::metadata(&ballast).unwrap().size() > 0);
        assert!(fs::write(self.0.join("more"), "x").is_err());
    }

    fn empty(&self) {
        for name in ["ballast", "more"] {
            fs::remove_file(self.0.join(name)).unwrap();
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &self.0);
    }
}

fn run(program: &str, arguments: &[&str], path: &std::path::Path) {
    let mut command = std::process::Command::new(program);
    assert!(
        command
            .args(arguments)
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
}
