//! The host around sshd: accounts, groups, the host agent's socket, the way to the key server.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use keyroster_e2e::Host;
use keyroster_testkit::{Account, Program};
use serde_json::Value;

use crate::support::*;

/// The groups are those of a file that only doctor sees in the place of /etc/group.
#[test]
fn a_granted_account_in_a_group_that_amounts_to_root_is_named_with_its_group() {
    let server = server();
    let host = start(&server, "");
    let account = Account::login(ACCOUNT).unwrap();
    for group in ["docker", "lxd", "adm", "sudo", "disk"] {
        let members = format!("{group}:x:64321:root,{ACCOUNT}");
        let found = with_group(&host, group, &members);
        let what = what(&found, "account-root-equal");
        assert!(what.contains(&format!("{ACCOUNT} ({group})")), "{what}");
    }
    let primary = format!("docker:x:{}:", account.gid);
    let found = with_group(&host, "docker", &primary);
    let what = what(&found, "account-root-equal");
    assert!(what.contains(&format!("{ACCOUNT} (docker)")), "{what}");
    let found = with_group(&host, "docker", "docker:x:64321:daemon");
    assert_eq!(severity(&found, "account-root-equal"), "ok");
}

#[test]
fn a_socket_that_others_can_replace_or_that_somebody_else_serves_is_found() {
    let server = server();
    let host = start(&server, "");
    let socket = agent_socket(&host);
    let directory = socket.parent().unwrap();
    let mode = directory.metadata().unwrap().permissions();
    let loose = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(directory, loose).unwrap();
    assert_eq!(severity(&doctor(&host, &[]), "socket-owner"), "error");
    std::fs::set_permissions(directory, mode).unwrap();
    assert_eq!(severity(&doctor(&host, &[]), "socket-owner"), "ok");
    let other = Account::login(ACCOUNT).unwrap();
    chown(&socket, Some(other.uid), None).unwrap();
    assert_eq!(severity(&doctor(&host, &[]), "socket-peer"), "error");
}

#[test]
fn a_key_server_whose_name_does_not_resolve_is_found() {
    let server = server();
    let host = start(&server, "");
    let path = host.dir().join(SETTINGS);
    let text = std::fs::read_to_string(&path).unwrap();
    let nowhere = "https://keys.invalid:8443";
    std::fs::write(&path, text.replace(&server.0.url(), nowhere)).unwrap();
    let found = doctor(&host, &[]);
    assert!(what(&found, "server-name").contains("keys.invalid"));
    assert_eq!(
        finding(&found, "server-name")["mend"],
        "getent ahosts keys.invalid"
    );
}

#[test]
fn certificates_are_told_with_the_days_that_they_have_left() {
    let server = server();
    let host = start(&server, "");
    let found = doctor(&host, &[]);
    let all = found["findings"].as_array().unwrap();
    let all = all.iter().filter(|it| it["id"] == "certificate-ending");
    let all: Vec<&str> = all.filter_map(|it| it["what"].as_str()).collect();
    for (name, days) in [
        ("this host's certificate", 89),
        ("the CA's certificate", 3649),
        ("the key server's certificate", 89),
    ] {
        let left = [days, days + 1].map(|days| format!("{name} ends in {days} days"));
        assert!(left.iter().any(|it| all.contains(&it.as_str())), "{all:?}");
    }
}

/// What doctor says where /etc/group has this line for the group.
fn with_group(host: &Host, group: &str, line: &str) -> Value {
    let text = std::fs::read_to_string("/etc/group").unwrap();
    let others = text
        .lines()
        .filter(|it| it.split(':').next() != Some(group));
    let lines: Vec<&str> = others.chain([line]).collect();
    let file = host.dir().join("group");
    std::fs::write(&file, format!("{}\n", lines.join("\n"))).unwrap();
    let script = "mount --bind \"$0\" /etc/group && exec \"$@\"";
    let done = Program::at(Path::new("/usr/bin/unshare"))
        .args(["--mount", "--", "sh", "-c", script])
        .arg(file)
        .arg(host.dir().join("keyroster-agent"))
        .args(["doctor", "--json", "--config"])
        .arg(host.dir().join(SETTINGS))
        .arg("--sshd-config")
        .arg(host.sshd().dir().join("sshd_config"))
        .finish()
        .unwrap();
    serde_json::from_str(&done.stdout).unwrap()
}

fn agent_socket(host: &Host) -> std::path::PathBuf {
    let text = std::fs::read_to_string(host.dir().join(SETTINGS)).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("socket = \""));
    line.unwrap().trim_end_matches('"').into()
}
