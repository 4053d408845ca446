//! What packages put on a machine for systemd, judged by systemd's own programs.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keyroster_testkit::{Finished, finish};

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../packaging")
        .join(name)
}

fn run(command: &mut Command) -> Finished {
    finish(command, Duration::from_secs(60)).unwrap()
}

/// A root directory with the accounts and directories that one package's files make.
fn installed(package: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    let file = format!("{package}.conf");
    for (program, arguments, dir) in [
        ("systemd-sysusers", &[][..], "sysusers.d"),
        ("systemd-tmpfiles", &["--create"][..], "tmpfiles.d"),
    ] {
        let mut command = Command::new(program);
        command
            .arg(format!("--root={}", root.path().display()))
            .args(arguments)
            .arg(packaging(dir).join(&file));
        let done = run(&mut command);
        assert!(done.status.success(), "{program}: {}", done.stderr);
    }
    root
}

fn uid_of(root: &Path, account: &str) -> u32 {
    let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap();
    let entry = passwd
        .lines()
        .find(|line| line.starts_with(&format!("{account}:")))
        .unwrap();
    entry.split(':').nth(2).unwrap().parse().unwrap()
}

#[test]
fn the_tests_run_the_key_server_in_the_environment_of_its_unit() {
    let unit = fs::read_to_string(packaging("systemd/keyroster-server.service")).unwrap();
    let given: Vec<&str> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment="))
        .collect();
    let (variable, value) = keyroster_testkit::SERVER_ENVIRONMENT;
    assert_eq!(given, [format!("{variable}={value}")]);
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    for unit in [
        "keyroster-agent.service",
        "keyroster-enable.service",
        "keyroster-server.service",
        "keyroster-sessions.service",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let text = fs::read_to_string(packaging("systemd").join(unit)).unwrap();
        let text = text
            .replace("/usr/lib/keyroster/keyroster-agent", "/usr/bin/true")
            .replace("/usr/lib/keyroster/keyroster-sessions", "/usr/bin/true")
            .replace("/usr/bin/keyroster-server", "/usr/bin/true");
        let copy = dir.path().join(unit);
        fs::write(&copy, text).unwrap();
        let verified = run(Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&copy));
        assert_eq!(
            (verified.code(), verified.stderr.as_str()),
            (Some(0), ""),
            "{unit}"
        );
    }
}

#[test]
fn a_host_gets_two_accounts_and_a_state_directory_for_the_agent_alone() {
    let root = installed("keyroster-host");
    let agent = uid_of(root.path(), "keyroster-agent");
    assert_ne!(agent, uid_of(root.path(), "keyroster-lookup"));
    let state = fs::metadata(root.path().join("var/lib/keyroster-agent")).unwrap();
    assert_eq!((state.uid(), state.mode() & 0o7777), (agent, 0o700));
}

#[test]
fn the_configuration_and_break_glass_directories_are_roots() {
    let root = installed("keyroster-host");
    for dir in ["etc/keyroster", "etc/keyroster/break-glass"] {
        let metadata = fs::metadata(root.path().join(dir)).unwrap();
        assert_eq!(
            (metadata.uid(), metadata.mode() & 0o7777),
            (0, 0o755),
            "{dir}"
        );
    }
}

#[test]
fn reports_are_for_root_and_the_host_agents_group_alone() {
    let root = installed("keyroster-host");
    let group = fs::read_to_string(root.path().join("etc/group")).unwrap();
    let line = group
        .lines()
        .find(|line| line.starts_with("keyroster-agent:"))
        .unwrap();
    let gid: u32 = line.split(':').nth(2).unwrap().parse().unwrap();
    for dir in ["run/keyroster-sessions/reports", "var/spool/keyroster"] {
        let metadata = fs::metadata(root.path().join(dir)).unwrap();
        let found = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
        assert_eq!(found, (0, gid, 0o770), "{dir}");
    }
}

#[test]
fn records_of_sessions_are_for_root_alone_and_the_socket_beside_them_can_be_reached() {
    let root = installed("keyroster-host");
    for (dir, mode) in [("", 0o755), ("records", 0o700)] {
        let metadata = fs::metadata(root.path().join("run/keyroster-sessions").join(dir)).unwrap();
        assert_eq!(
            (metadata.uid(), metadata.mode() & 0o7777),
            (0, mode),
            "{dir}"
        );
    }
}

#[test]
fn a_key_servers_data_directory_is_its_own() {
    let root = installed("keyroster-server");
    let data = fs::metadata(root.path().join("var/lib/keyroster-server")).unwrap();
    assert_eq!(
        (data.uid(), data.mode() & 0o7777),
        (uid_of(root.path(), "keyroster-server"), 0o700)
    );
}
