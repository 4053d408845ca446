//! Settings of sshd's, each broken on purpose: the finding names the line, and its command changes that line.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keyroster_testkit::{Program, until};

use crate::support::*;

#[test]
fn each_setting_that_stands_in_the_way_is_found_with_its_line() {
    let server = server();
    let host = start(&server, "");
    let damaged = host.dir().join("damaged");
    std::fs::write(&damaged, "hello\n").unwrap();
    let revoked = format!("RevokedKeys {}\n", damaged.display());
    for (lines, id, line) in [
        ("LoginGraceTime 0\n", "login-grace-time", 1),
        ("MaxAuthTries 1\n", "max-auth-tries", 1),
        (
            "Match User keyroster-t1\nMaxAuthTries 2\n",
            "max-auth-tries",
            2,
        ),
        ("StrictModes no\n", "strict-modes", 1),
        ("AuthorizedKeysFile .ssh/authorized_keys\n", "home-keys", 1),
        ("AuthorizedKeysFile /etc/ssh/keys\n", "keys-anywhere", 1),
        (
            "AuthorizedKeysCommandUser keyroster-no-such\n",
            "command-user-missing",
            0,
        ),
        (
            "AuthorizedKeysCommandUser nobody\n",
            "command-user-shared",
            0,
        ),
        (
            "Match User keyroster-t1\nAuthorizedKeysCommandUser none\n",
            "command-user-unset",
            0,
        ),
        ("RevokedKeys /no/such/list\n", "revoked-keys-missing", 0),
        (revoked.as_str(), "revoked-keys-damaged", 0),
    ] {
        let found = with_lines(&host, lines);
        let what = what(&found, id);
        let place = format!("00-a.conf:{line}");
        assert!(line == 0 || what.contains(&place), "{what}");
    }
    let found = with_lines(&host, "");
    for id in ["login-grace-time", "max-startups", "command-user-missing"] {
        assert_eq!(severity(&found, id), "ok", "{id}");
    }
}

#[test]
fn the_command_that_a_finding_names_mends_it() {
    let server = server();
    let host = start(&server, "");
    for (lines, id) in [
        (
            "# first\nMatch User keyroster-t1\n maxauthtries=1\n",
            "max-auth-tries",
        ),
        ("LoginGraceTime 0\n", "login-grace-time"),
        (
            "Match User keyroster-t1\nAuthorizedKeysCommand none\n",
            "command-unset",
        ),
        ("AuthorizedKeysCommandUser nobody\n", "command-user-shared"),
    ] {
        let found = with_lines(&host, lines);
        assert_ne!(severity(&found, id), "ok");
        let finding = finding(&found, id);
        assert_eq!(finding["mend_kind"], "mend", "{finding:#}");
        let command = finding["mend"].as_str().unwrap();
        let command = command.strip_suffix(" && systemctl reload ssh").unwrap();
        let shell = Program::at(Path::new("/bin/sh")).args(["-c", command]);
        shell.finish().unwrap().success("the command").unwrap();
        assert_eq!(severity(&doctor(&host, &[]), id), "ok", "{command}");
    }
}

/// In the place of the fixture's own: OpenSSH 9.2 takes the last of several values of this keyword.
#[test]
fn too_few_logins_at_a_time_are_found_with_their_line() {
    let server = server();
    let host = start(&server, "");
    let config = host.sshd().dir().join("sshd_config");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("MaxStartups 100", "MaxStartups 2")).unwrap();
    let what = what(&doctor(&host, &[]), "max-startups");
    assert!(
        what.contains("at 2 by ") && what.contains("sshd_config:"),
        "{what}"
    );
}

#[test]
fn another_providers_command_behind_ours_is_told_of() {
    let server = server();
    let host = start(&server, "");
    let file = host.sshd().dir().join("sshd_config.d/99-other.conf");
    std::fs::write(file, "AuthorizedKeysCommand /usr/bin/other %u\n").unwrap();
    let what = what(&doctor(&host, &[]), "other-provider");
    assert!(
        what.contains("99-other.conf:1") && what.contains("/usr/bin/other"),
        "{what}"
    );
}

#[test]
fn files_that_changed_after_sshd_has_read_them_are_told_of_until_it_reads_them_again() {
    let server = server();
    let host = start(&server, "PidFile @DIR@/sshd.pid\n");
    assert_eq!(severity(&doctor(&host, &[]), "sshd-not-reloaded"), "ok");
    let found = with_lines(&host, "Banner none\n");
    assert!(what(&found, "sshd-not-reloaded").contains("00-a.conf"));
    let reload = ["-s", "HUP", &host.sshd().pid().to_string()].map(str::to_owned);
    let kill = Program::at(Path::new("/usr/bin/kill")).args(&reload);
    kill.finish().unwrap().success("kill").unwrap();
    until("sshd to have read its files", LIMIT, || {
        let found = doctor(&host, &[]);
        Ok((severity(&found, "sshd-not-reloaded") == "ok").then_some(()))
    })
    .unwrap();
}

#[test]
fn a_program_of_a_source_that_others_can_change_is_found() {
    let server = server();
    let host = start(&server, "");
    let settings = host.dir().join("lookup.conf");
    let program = host.dir().join("other");
    std::fs::write(&program, "#!/bin/sh\n").unwrap();
    let text = std::fs::read_to_string(&settings).unwrap();
    let source = format!("authorized_keys: agent command:{}", program.display());
    std::fs::write(&settings, text.replace("authorized_keys: agent", &source)).unwrap();
    let mode = |mode| std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode));
    mode(0o755).unwrap();
    assert_eq!(severity(&doctor(&host, &[]), "source-owner"), "ok");
    mode(0o777).unwrap();
    assert!(what(&doctor(&host, &[]), "source-owner").contains("/other"));
    std::fs::remove_file(&program).unwrap();
    assert_eq!(severity(&doctor(&host, &[]), "source-missing"), "error");
}
