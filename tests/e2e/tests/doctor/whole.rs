//! A whole host: what is broken on purpose is found, with the line that is to blame.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keyroster_testkit::{Account, Program, free_port, until};
use serde_json::Value;

use crate::support::*;

#[test]
fn a_sound_host_has_no_error_but_that_nobody_gets_in_without_keyroster() {
    let server = server();
    let host = start(&server, "");
    let said = doctor(&host, &[]);
    assert_eq!(errors(&said), ["no-way-in"], "{said:#}");
    assert_eq!(said["exit_code"], 2);
    break_glass(&host, &server.1);
    let said = doctor(&host, &[]);
    assert_eq!(errors(&said), [""; 0], "{said:#}");
    assert_eq!(severity(&said, "command-foreign"), "ok");
    assert_eq!(severity(&said, "lookup-fails"), "ok");
    assert_eq!(severity(&said, "server-tls"), "ok");
}

#[test]
fn a_drop_in_that_comes_first_is_found_with_its_line() {
    let server = server();
    let foreign = "AuthorizedKeysCommand /bin/false %u\nAuthorizedKeysCommandUser nobody\n";
    let host = start(&server, foreign);
    let said = doctor(&host, &[]);
    let what = what(&said, "command-foreign");
    assert!(
        what.contains("00-test-0.conf:1") && what.contains(ACCOUNT),
        "{what}"
    );
}

#[test]
fn a_block_that_takes_the_command_away_is_found_with_its_line_and_for_its_account_only() {
    let server = server();
    let unset = format!("Match User {ACCOUNT}\nAuthorizedKeysCommand none\n");
    let host = start(&server, &unset);
    let said = doctor(&host, &[]);
    let what = what(&said, "command-unset");
    assert!(
        what.contains("00-test-0.conf:2") && what.contains(ACCOUNT) && !what.contains("root"),
        "{what}"
    );
}

#[test]
fn an_option_of_the_command_line_that_beats_the_files_is_found() {
    let server = server();
    let host = start(&server, "");
    let config = host.sshd().dir().join("second_config");
    std::fs::copy(host.sshd().dir().join("sshd_config"), &config).unwrap();
    let port = free_port().unwrap();
    let sshd = Program::at(Path::new("/usr/sbin/sshd"))
        .args(["-D", "-p", &port.to_string(), "-f"])
        .arg(&config)
        .args(["-o", "AuthorizedKeysCommand=/bin/false --user=%u"]);
    let _sshd = sshd.spawn().unwrap();
    until("sshd to take connections", LIMIT, || {
        Ok(TcpStream::connect(("127.0.0.1", port)).ok().map(drop))
    })
    .unwrap();
    let command = Program::at(&host.dir().join("keyroster-agent"))
        .args(["doctor", "--json", "--config"])
        .arg(host.dir().join(SETTINGS))
        .arg("--sshd-config")
        .arg(&config);
    let said: Value = serde_json::from_str(&command.finish().unwrap().stdout).unwrap();
    let what = what(&said, "command-foreign");
    assert!(what.contains("-o on sshd's command line"), "{what}");
    assert_eq!(severity(&said, "command-line-option"), "warning");
    assert_eq!(severity(&said, "tree-disagrees"), "ok");
}

#[test]
fn what_can_be_mended_without_judgement_is_shown_and_mended_when_somebody_agrees() {
    let server = server();
    let host = start(&server, "");
    let settings = host.dir().join("lookup.conf");
    let ways_in = host.dir().join("break-glass");
    std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o666)).unwrap();
    std::fs::remove_dir(&ways_in).unwrap();
    let mode = || settings.metadata().unwrap().permissions().mode() & 0o777;
    let shown = plain(&host).arg("--fix").finish().unwrap();
    assert!(
        shown.stderr.contains("- 0666 ") && shown.stderr.contains("+ 0644 "),
        "{}",
        shown.stderr
    );
    assert!(
        shown.stderr.contains("nothing was changed"),
        "{}",
        shown.stderr
    );
    assert_eq!((mode(), ways_in.exists()), (0o666, false));
    plain(&host).args(["--fix", "--yes"]).finish().unwrap();
    assert_eq!((mode(), ways_in.is_dir()), (0o644, true));
    let said = doctor(&host, &[]);
    assert_eq!(severity(&said, "settings-owner"), "ok");
}

#[test]
fn a_principals_command_behind_the_key_command_is_dropped_or_kept_as_the_release_has_it() {
    let server = server();
    let host = start(&server, "");
    let drop_in = host.sshd().dir().join("sshd_config.d/50-principals.conf");
    std::fs::write(
        &drop_in,
        "AuthorizedPrincipalsCommand /bin/true %u\nAuthorizedPrincipalsCommandUser nobody\n",
    )
    .unwrap();
    let said = doctor(&host, &[]);
    let version = keyroster_testkit::openssh_version().unwrap();
    if ((8, 7)..=(9, 3)).contains(&version) {
        let what = what(&said, "principals-dropped");
        assert!(what.contains("50-principals.conf:1"), "{what}");
    } else {
        assert_eq!(severity(&said, "principals-dropped"), "ok");
    }
}

#[test]
fn a_program_that_others_can_change_and_settings_too_are_found() {
    let server = server();
    let host = start(&server, "");
    let chmod = |name: &str, mode| {
        let path = host.dir().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod("keyroster-lookup", 0o775);
    chmod("lookup.conf", 0o666);
    let said = doctor(&host, &[]);
    assert!(what(&said, "lookup-owner").contains("keyroster-lookup"));
    assert!(what(&said, "settings-owner").contains("lookup.conf"));
    assert_eq!(
        severity(&said, "lookup-fails"),
        "error",
        "it refuses its settings"
    );
    let mend = finding(&said, "settings-owner")["mend"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(mend.starts_with("chmod go-w /"), "{mend}");
}

#[test]
fn a_dead_host_agent_is_found_and_so_is_one_that_was_stopped_with_its_socket_open() {
    let server = server();
    let mut host = start(&server, "");
    host.agent().unwrap().freeze().unwrap();
    let said = doctor(&host, &[]);
    assert_eq!(severity(&said, "agent-silent"), "error");
    assert_eq!(severity(&said, "lookup-fails"), "error");
    host.agent().unwrap().thaw().unwrap();
    host.kill_agent().unwrap();
    let said = doctor(&host, &[]);
    assert_eq!(severity(&said, "socket-missing"), "error");
}

#[test]
fn a_snapshot_that_grows_old_and_a_key_server_that_is_gone_are_found() {
    let server = server_with(&["--max-staleness", "1s"]);
    let host = start(&server, "");
    drop(server);
    let found = until("the snapshot to grow old", LIMIT, || {
        let said = doctor(&host, &[]);
        Ok((severity(&said, "snapshot-stale") == "warning").then_some(said))
    });
    let said = found.unwrap();
    assert_eq!(severity(&said, "server-tls"), "warning");
    assert_eq!(severity(&said, "agent-trouble"), "warning");
}

#[test]
fn a_snapshot_that_was_changed_on_the_disk_is_not_believed() {
    let server = server();
    let mut host = start(&server, "");
    host.kill_agent().unwrap();
    let path = host.dir().join("state/snapshot");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(ACCOUNT, "keyroster-t2")).unwrap();
    let said = doctor(&host, &[]);
    assert_eq!(severity(&said, "snapshot-doubted"), "error");
    assert_eq!(severity(&said, "snapshot-past"), "error");
}

#[test]
fn limits_lists_and_accounts_that_do_not_fit_are_found_on_a_real_host_each_with_its_line() {
    let server = server();
    privileged();
    for account in [PRIVILEGED, "keyroster-gone"] {
        let grant = ["grant", "add", "--user", "alice", "--host-group", "web"];
        let account = ["--account", account];
        server.0.admin(&[&grant[..], &account].concat()).unwrap();
    }
    let config = format!(
        "LoginGraceTime 0\nDenyUsers {PRIVILEGED}\nStrictModes no\n\
         Match User {ACCOUNT}\n    MaxAuthTries 1\n    AuthenticationMethods password\n"
    );
    let host = start_with(&server, &config, 3);
    let main = host.sshd().dir().join("sshd_config");
    let text = std::fs::read_to_string(&main).unwrap();
    std::fs::write(&main, text.replace("MaxStartups 100", "MaxStartups 3")).unwrap();
    let said = doctor(&host, &["--benchmark", "cis"]);
    for (id, severity_, place) in [
        ("login-grace-time", "warning", "00-test-0.conf:1"),
        ("max-startups", "warning", "sshd_config:"),
        ("max-auth-tries", "warning", "00-test-0.conf:5"),
        ("authentication-methods", "error", "00-test-0.conf:6"),
        ("strict-modes", "warning", "00-test-0.conf:3"),
        ("account-denied", "warning", PRIVILEGED),
        ("account-root-equal", "warning", PRIVILEGED),
        ("account-missing", "warning", "keyroster-gone"),
        ("cis-login-grace-time", "warning", ""),
    ] {
        assert_eq!(severity(&said, id), severity_, "{id}");
        let what = what(&said, id);
        assert!(what.contains(place), "{id}: {what}");
        let mends = finding(&said, id)["mend"].as_str().unwrap_or_default();
        assert!(!mends.is_empty(), "{id}");
    }
    assert_eq!(said["exit_code"], 2);
}

#[test]
fn a_user_of_the_key_command_that_is_missing_shared_or_in_groups_is_found() {
    let server = server();
    privileged();
    let host = start(&server, "");
    let drop_in = host.sshd().dir().join("sshd_config.d/00-first.conf");
    let effective = host
        .sshd()
        .effective("user=root,host=x,addr=192.0.2.1")
        .unwrap();
    let line = effective
        .lines()
        .find_map(|line| line.strip_prefix("authorizedkeyscommand "));
    let command = format!("AuthorizedKeysCommand {}\n", line.unwrap());
    for (user, id) in [
        ("keyroster-no-such-user", "command-user-missing"),
        ("root", "command-user-shared"),
        (PRIVILEGED, "command-user-groups"),
    ] {
        let text = format!("{command}AuthorizedKeysCommandUser {user}\n");
        std::fs::write(&drop_in, text).unwrap();
        let what = what(&doctor(&host, &[]), id);
        assert!(what.contains(user), "{what}");
    }
}

#[test]
fn whoever_is_not_root_is_told_what_could_not_be_seen() {
    let server = server();
    let host = start(&server, "");
    let account = Account::login(ACCOUNT).unwrap();
    let done = command(&host, &[]).user(&account).finish().unwrap();
    let said: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(finding(&said, "snapshot-doubted")["seen"], false);
    assert_ne!(done.code(), Some(0));
}

#[test]
fn the_benchmark_is_looked_at_when_it_is_asked_for() {
    let server = server();
    let host = start(&server, "");
    let has = |said: &Value| ids(said).iter().any(|id| id.starts_with("cis-"));
    assert!(!has(&doctor(&host, &[])));
    let said = doctor(&host, &["--benchmark", "cis"]);
    assert!(has(&said));
    assert_eq!(
        severity(&said, "cis-max-startups"),
        "warning",
        "the fixture has 100"
    );
}

#[test]
fn people_get_problems_first_with_the_command_that_mends_them() {
    let server = server();
    let host = start(&server, "");
    let done = command(&host, &[]).finish().unwrap();
    assert!(serde_json::from_str::<Value>(&done.stdout).is_ok());
    let done = plain(&host).finish().unwrap();
    assert_eq!(done.code(), Some(2), "{}", done.stdout);
    assert!(
        done.stdout.starts_with("error   break-glass: "),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains("\n        mend: "), "{}", done.stdout);
}

/// Makes the account that is in a group of root's equals.
fn privileged() {
    Account::login(PRIVILEGED).unwrap();
    until("the account to be in its group", LIMIT, || {
        // Another test may hold the lock on the file of groups.
        let mut add = std::process::Command::new("gpasswd");
        add.args(["--add", PRIVILEGED, "adm"]);
        let done = keyroster_testkit::finish(&mut add, LIMIT)?;
        Ok(done.status.success().then_some(()))
    })
    .unwrap();
}

/// An account that is in a group of root's equals.
const PRIVILEGED: &str = "keyroster-t-adm";
