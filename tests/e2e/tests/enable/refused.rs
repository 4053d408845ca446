//! What stops `enable` before anything is changed.

use std::fs;
use std::process::Command;

use keyroster_testkit::{Finished, SshKey};

use crate::support::Scene;

fn stops(scene: &Scene, arguments: &[&str], because: &str) -> Finished {
    let before = scene.seen();
    let log = scene.host.sshd().log_size();
    let done = scene.enable(arguments);
    assert!(!done.status.success(), "{done:?}");
    assert!(done.stderr.contains(because), "{done:?}");
    assert!(
        done.stderr.contains("hint: ") || done.code() != Some(78),
        "{done:?}"
    );
    assert_eq!(scene.seen(), before);
    assert!(!scene.host.sshd().log_from(log).contains("SIGHUP"));
    assert!(!scene.pending());
    done
}

#[test]
fn another_key_command_is_named_and_kept() {
    let text =
        "# theirs\nAuthorizedKeysCommand /usr/bin/theirs %u\nAuthorizedKeysCommandUser nobody\n";
    let scene = Scene::with(true, &[("20-theirs.conf", text)]);
    let done = stops(&scene, &[], "another key command: `/usr/bin/theirs %u`");
    assert!(done.stderr.contains("20-theirs.conf:2"), "{done:?}");
    assert!(done.stderr.contains("command:/usr/bin/theirs"), "{done:?}");
    // One that lookup asks itself is not pushed aside.
    let settings = scene.host.dir().join("lookup.conf");
    let text = fs::read_to_string(&settings).unwrap();
    for (source, line) in [
        ("/usr/bin/theirs", ""),
        ("theirs", "command.theirs: /usr/bin/theirs keys %u\n"),
    ] {
        let chain = format!("authorized_keys: agent command:{source}");
        let chained = text.replace("authorized_keys: agent", &chain) + line;
        fs::write(&settings, chained).unwrap();
        let done = scene.enable(&["--dry-run"]);
        assert_eq!(done.code(), Some(0), "{done:?}");
    }
    // The name alone is not the program.
    let other = text.replace(
        "authorized_keys: agent",
        "authorized_keys: agent command:theirs",
    ) + "command.theirs: /usr/bin/others %u\n";
    fs::write(&settings, other).unwrap();
    assert_ne!(scene.enable(&["--dry-run"]).code(), Some(0));
}

#[test]
fn a_configuration_that_sshd_refuses_already_stops_it() {
    let scene = Scene::with(true, &[("50-broken.conf", "Nonsense yes\n")]);
    stops(&scene, &[], "sshd refuses its configuration as it is");
}

#[test]
fn a_configuration_that_reads_no_drop_ins_stops_it() {
    let scene = Scene::new();
    let text = fs::read_to_string(scene.config()).unwrap();
    let files = format!(
        "AuthorizedKeysFile {}/home/%u\n",
        scene.keys.path().display()
    );
    let text = text.replace("Include", "#Include");
    fs::write(scene.config(), files + &text).unwrap();
    stops(&scene, &[], "does not include");
}

#[test]
fn a_drop_in_that_is_a_link_and_a_directory_that_others_can_change_stop_it() {
    let scene = Scene::new();
    let target = scene.keys.file("target", "LogLevel INFO\n", 0o644).unwrap();
    std::os::unix::fs::symlink(&target, scene.drop_in()).unwrap();
    stops(&scene, &[], "symbolic link");
    fs::remove_file(scene.drop_in()).unwrap();
    let dir = scene.host.sshd().dir().join("sshd_config.d");
    fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    stops(&scene, &[], "others than root can change it");
}

#[test]
fn a_host_agent_that_does_not_answer_stops_it() {
    let mut scene = Scene::new();
    scene.host.kill_agent().unwrap();
    stops(&scene, &[], "the host agent does not answer");
}

#[test]
fn a_lookup_that_sshd_would_not_run_stops_it() {
    let scene = Scene::new();
    let lookup = scene.host.dir().join("keyroster-lookup");
    fs::set_permissions(&lookup, std::os::unix::fs::PermissionsExt::from_mode(0o775)).unwrap();
    stops(&scene, &[], "others than root can change");
    fs::remove_file(&lookup).unwrap();
    stops(&scene, &[], "there is no");
}

#[test]
fn a_trial_login_that_is_refused_stops_it() {
    let scene = Scene::new();
    let stranger = SshKey::ed25519(scene.keys.path(), "stranger").unwrap();
    let key = stranger.private_path().display().to_string();
    let account = scene.account.name.clone();
    stops(
        &scene,
        &["--trial-user", &account, "--trial-key", &key],
        "was refused",
    );
    // A key in a file is no granted one.
    let key = scene.file_key.private_path().display().to_string();
    let account = scene.other.name.clone();
    stops(
        &scene,
        &["--trial-user", &account, "--trial-key", &key],
        "was refused",
    );
}

#[test]
fn a_group_that_does_not_exist_and_one_without_a_granted_key_stop_it() {
    let scene = Scene::new();
    stops(
        &scene,
        &["--match-group", "keyroster-no-such-group"],
        "there is no group",
    );
    stops(
        &scene,
        &["--match-group", "nogroup"],
        "no account of this host has a granted key",
    );
}

#[test]
fn a_drop_in_that_comes_before_ours_and_sets_another_command_for_an_account_is_noticed() {
    let scene = Scene::new();
    let text = format!(
        "Match User {}\nAuthorizedKeysCommand none\n",
        scene.account.name
    );
    let path = scene.host.sshd().dir().join("sshd_config.d/99-block.conf");
    fs::write(path, text).unwrap();
    stops(&scene, &[], "sshd would run `none`");
}

/// In a view of the files in which this directory is as `mount` makes it.
fn seen_so(scene: &Scene, mount: &str) -> Finished {
    let script = format!("{mount} && exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--", "sh", "-c", &script, "sh"]);
    command.arg(scene.host.dir().join("keyroster-agent"));
    command.args(["enable", "--confirm-within", "never", "--sshd-config"]);
    command
        .arg(scene.config())
        .arg("--state")
        .arg(scene.state());
    command
        .arg("--lookup")
        .arg(scene.host.dir().join("keyroster-lookup"));
    command
        .arg("--lookup-config")
        .arg(scene.host.dir().join("lookup.conf"));
    command
        .arg("--config")
        .arg(scene.host.dir().join("agent.toml"));
    let (variable, socket) = scene.agent.variable();
    command.env(variable, socket);
    keyroster_testkit::finish(&mut command, crate::support::LIMIT).unwrap()
}

#[test]
fn a_directory_that_cannot_be_written_leaves_everything_as_it_was() {
    let scene = Scene::new();
    let before = scene.seen();
    let dir = scene
        .host
        .sshd()
        .dir()
        .join("sshd_config.d")
        .display()
        .to_string();
    let done = seen_so(
        &scene,
        &format!("mount --bind {dir} {dir} && mount -o remount,ro,bind {dir}"),
    );
    assert_eq!(done.code(), Some(74), "{done:?}");
    assert!(done.stderr.contains("Read-only"), "{done:?}");
    assert_eq!(scene.seen(), before);
    assert!(!scene.pending() && !scene.state().join("enabled").exists());
}

#[test]
fn a_full_disk_under_the_records_leaves_everything_as_it_was() {
    let scene = Scene::new();
    let before = scene.seen();
    let state = scene.state().display().to_string();
    fs::create_dir(&state).unwrap();
    let full = format!(
        "mount -t tmpfs -o size=4k,mode=700 none {state} && head -c 4096 /dev/zero > {state}/x"
    );
    let done = seen_so(&scene, &full);
    assert_eq!(done.code(), Some(74), "{done:?}");
    assert!(done.stderr.contains("No space left"), "{done:?}");
    assert_eq!(scene.seen(), before);
}
