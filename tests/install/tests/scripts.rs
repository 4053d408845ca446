//! Maintainer scripts, put together and run below a directory that stands for the machine, with programs of ours that do as a case needs.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What stands for the machine.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for dir in [
            "etc/ssh/sshd_config.d",
            "etc/pam.d",
            "var/lib/keyroster",
            "run",
            "usr/lib/keyroster",
        ] {
            fs::create_dir_all(machine.0.path().join(dir)).unwrap();
        }
        machine.write(
            "/etc/ssh/sshd_config",
            "Include /etc/ssh/sshd_config.d/*.conf\n",
        );
        machine
    }

    /// One that asks keyroster.
    fn enabled() -> Self {
        let machine = Self::new();
        machine.write(DROP_IN, KEYS);
        machine.write("/var/lib/keyroster/enabled", "[]");
        machine
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside.trim_start_matches('/'))
    }

    /// Paths of sshd's directory lead to this machine's, those of our programs stay: sshd would run those.
    fn write(&self, inside: &str, text: &str) {
        let ssh = format!("{}/etc/ssh/", self.0.path().display());
        fs::write(self.path(inside), text.replace("/etc/ssh/", &ssh)).unwrap();
    }

    /// A host agent whose `disable` ends so, and takes the drop-in away when that is 0.
    fn agent(&self, ends: u8) {
        let program = self.path("/usr/lib/keyroster/keyroster-agent");
        let root = self.0.path().display();
        let script = format!(
            "#!/bin/sh\necho \"$@\" >>{root}/asked\n[ {ends} -ne 0 ] || rm -f {root}{DROP_IN}\nexit {ends}\n"
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        let mut text = assembled(script);
        for dir in [
            "/etc/",
            "/var/lib/",
            "/var/spool/",
            "/run/",
            "/usr/lib/keyroster",
        ] {
            let here = format!("{}{dir}", self.0.path().display());
            text = text.replace(dir, &here);
        }
        let mut command = Command::new("sh");
        command.args(["-c", &text, script]).args(arguments);
        command.output().unwrap()
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.path("asked")).unwrap_or_default()
    }
}

fn assembled(script: &str) -> String {
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging");
    let text = fs::read_to_string(packaging.join(script)).unwrap();
    let lines = text
        .lines()
        .map(|line| match line.strip_prefix("#include ") {
            Some(name) => fs::read_to_string(packaging.join("scripts").join(name)).unwrap(),
            None => format!("{line}\n"),
        });
    lines.collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn lines_that_lead_to_keyroster_are_found_wherever_sshd_would_read_them_and_stop_the_removal_first()
{
    for (name, main, others, place) in [
        (
            "=",
            "Include=\"more/*.conf\"\n",
            &[("more/a.conf", KEYS)][..],
            "/etc/ssh/more/a.conf:1",
        ),
        (
            "blank",
            "  include \"our own/a\" x # y\n",
            &[("our own/a", KEYS)],
            "/etc/ssh/our own/a:1",
        ),
        (
            "nested",
            "Include one\n",
            &[
                ("one", "Include /etc/ssh/two\n"),
                ("two", "INCLUDE three\n"),
                ("three", "#\n\n  RevokedKeys /var/lib/keyroster-agent/x\n"),
            ],
            "/etc/ssh/three:3",
        ),
        (
            "main",
            "AuthorizedKeysFile /etc/keyroster/break-glass/%u\n",
            &[],
            "/etc/ssh/sshd_config:1",
        ),
    ] {
        let machine = Machine::enabled();
        machine.agent(0);
        machine.write("/etc/ssh/sshd_config", main);
        for (file, text) in others {
            let inside = format!("/etc/ssh/{file}");
            fs::create_dir_all(machine.path(&inside).parent().unwrap()).unwrap();
            machine.write(&inside, text);
        }
        for script in ["deb/keyroster-host/prerm", "rpm/keyroster-host/preun"] {
            let refused = machine.run(script, removal(script));
            assert!(!refused.status.success(), "{name}: {refused:?}");
            let place = format!("{}{place}", machine.0.path().display());
            assert!(said(&refused).contains(&place), "{name}: {refused:?}");
        }
        assert_eq!(machine.asked(), "", "{name}: it had been disabled before");
        assert!(machine.path(DROP_IN).exists());
    }
}

#[test]
fn lines_that_sshd_does_not_follow_keep_no_package() {
    let machine = Machine::enabled();
    machine.agent(0);
    machine.write(
        "/etc/ssh/sshd_config",
        "# Include /etc/ssh/other\nInclude /etc/ssh/sshd_config.d/*.conf\n",
    );
    machine.write("/etc/ssh/other", KEYS);
    machine.write(
        "/etc/pam.d/sshd",
        "session optional pam_exec.so /usr/lib/keyroster/keyroster-sessions record\n",
    );
    let removed = machine.run("deb/keyroster-host/prerm", &["remove"]);
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(machine.asked(), "disable\n");
}

#[test]
fn a_session_that_needs_a_program_of_ours_stops_the_removal_first() {
    let machine = Machine::enabled();
    machine.agent(0);
    let line = "session required pam_exec.so /usr/lib/keyroster/keyroster-sessions record\n";
    machine.write("/etc/pam.d/sshd", &format!("# sshd\n{line}"));
    let refused = machine.run("deb/keyroster-host/prerm", &["remove"]);
    assert!(
        !refused.status.success() && said(&refused).contains("/etc/pam.d/sshd:2"),
        "{refused:?}"
    );
    assert_eq!(machine.asked(), "");
}

#[test]
fn a_disable_that_fails_stops_the_removal_whatever_the_files_say() {
    for ends in [69, 74, 75, 78] {
        let machine = Machine::new();
        machine.agent(ends);
        for script in ["deb/keyroster-host/prerm", "rpm/keyroster-host/preun"] {
            let refused = machine.run(script, removal(script));
            assert!(!refused.status.success(), "{ends}: {refused:?}");
        }
    }
}

#[test]
fn without_a_program_of_ours_the_drop_in_gives_way_to_what_was_there() {
    for action in ["remove", "purge"] {
        let machine = Machine::enabled();
        let kept = machine.path("/var/lib/keyroster/original-10-keyroster.conf");
        fs::write(&kept, "LogLevel VERBOSE\n").unwrap();
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o640)).unwrap();
        let removed = machine.run("deb/keyroster-host/postrm", &[action]);
        assert!(removed.status.success(), "{removed:?}");
        let drop_in = machine.path(DROP_IN);
        assert_eq!(fs::read_to_string(&drop_in).unwrap(), "LogLevel VERBOSE\n");
        assert_eq!(fs::metadata(&drop_in).unwrap().mode() & 0o777, 0o640);

        let machine = Machine::enabled();
        let removed = machine.run("deb/keyroster-host/postrm", &[action]);
        assert!(removed.status.success(), "{removed:?}");
        assert!(!machine.path(DROP_IN).exists());
    }
}

#[test]
fn a_drop_in_that_has_nothing_to_do_with_us_and_one_whose_lookup_is_there_stay() {
    let machine = Machine::enabled();
    machine.write(
        DROP_IN,
        "# once /usr/lib/keyroster/keyroster-lookup\nLogLevel INFO\n",
    );
    assert!(
        machine
            .run("deb/keyroster-host/postrm", &["remove"])
            .status
            .success()
    );
    assert!(machine.path(DROP_IN).exists());
    machine.write(DROP_IN, KEYS);
    fs::write(machine.path("/usr/lib/keyroster/keyroster-lookup"), "").unwrap();
    assert!(
        machine
            .run("deb/keyroster-host/postrm", &["remove"])
            .status
            .success()
    );
    assert!(machine.path(DROP_IN).exists());
}

#[test]
fn a_line_that_is_left_when_all_is_gone_is_told_with_its_place() {
    let machine = Machine::enabled();
    machine.write("/etc/ssh/sshd_config.d/30-copy.conf", KEYS);
    let removed = machine.run("deb/keyroster-host/postrm", &["remove"]);
    assert!(removed.status.success(), "{removed:?}");
    assert!(said(&removed).contains("30-copy.conf:1"), "{removed:?}");
}

#[test]
fn a_purge_takes_what_we_wrote_and_keeps_what_somebody_edited() {
    let machine = Machine::new();
    let state = machine.path("/var/lib/keyroster");
    for name in [
        "enabled",
        "pending",
        "outcome",
        "lock",
        "watch",
        ".pending.4711",
    ] {
        fs::write(state.join(name), "").unwrap();
    }
    let edited = state.join("edited-10-keyroster.conf-1");
    fs::write(&edited, KEYS).unwrap();
    let purged = machine.run("deb/keyroster-host/postrm", &["purge"]);
    assert!(purged.status.success(), "{purged:?}");
    let left: Vec<PathBuf> = fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(left, std::slice::from_ref(&edited));
    assert!(
        said(&purged).contains("/var/lib/keyroster is kept"),
        "{purged:?}"
    );
    fs::remove_file(edited).unwrap();
    assert!(
        machine
            .run("deb/keyroster-host/postrm", &["purge"])
            .status
            .success()
    );
    assert!(!state.exists());
}

#[test]
fn a_removal_that_something_else_stopped_says_that_logins_no_longer_ask() {
    let machine = Machine::enabled();
    machine.agent(0);
    assert!(
        machine
            .run("deb/keyroster-host/prerm", &["remove"])
            .status
            .success()
    );
    for warns in [true, false] {
        let undone = machine.run("deb/keyroster-host/postinst", &["abort-remove"]);
        assert!(undone.status.success(), "{undone:?}");
        assert_eq!(said(&undone).contains("no longer ask"), warns, "{undone:?}");
    }
}

fn removal(script: &str) -> &'static [&'static str] {
    match script.starts_with("deb") {
        true => &["remove"],
        false => &["0"],
    }
}

const DROP_IN: &str = "/etc/ssh/sshd_config.d/10-keyroster.conf";
const KEYS: &str = "AuthorizedKeysCommand /usr/lib/keyroster/keyroster-lookup keys --user=%u\n";
