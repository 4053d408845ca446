use keyroster_testkit::Account;

use crate::support::Scene;

#[test]
fn a_trial_login_comes_first_and_a_real_one_confirms() {
    let scene = Scene::new();
    let pid = scene.host.sshd().pid();
    assert!(!scene.granted_login().is_let_in().unwrap());
    let mut enable = scene.waiting(&[]);
    assert!(scene.pending());
    let login = scene.stay(&scene.account, &scene.key);
    let status = enable.wait().unwrap();
    drop(login);
    let said = enable.output();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(
        said.contains(&format!(
            "proven: a login to \"{}\" on a temporary sshd",
            scene.account.name
        )),
        "{said}"
    );
    assert!(
        said.contains(&format!("confirmed by {}", scene.account.name)),
        "{said}"
    );
    assert!(!scene.pending());
    assert!(scene.granted_login().is_let_in().unwrap());
    assert_eq!(scene.host.sshd().pid(), pid);
    assert!(
        scene
            .host
            .sshd()
            .log()
            .contains("Received SIGHUP; restarting")
    );
}

#[test]
fn without_a_login_everything_is_as_it_was_before() {
    let scene = Scene::new();
    let before = scene.seen();
    let done = scene.enable(&["--confirm-within", "2s"]);
    assert_eq!(done.code(), Some(75), "{done:?}");
    assert!(
        done.stderr.contains("nobody logged in within the time"),
        "{done:?}"
    );
    assert_eq!(scene.seen(), before);
    assert!(!scene.granted_login().is_let_in().unwrap());
    assert!(
        scene
            .host
            .lets_in(&scene.other.name, &scene.file_key)
            .unwrap()
    );
}

#[test]
fn what_was_in_the_place_of_the_drop_in_comes_back() {
    let ours = "AuthorizedKeysFile none\n# whatever stood here, without a line end";
    let scene = Scene::with(true, &[("10-keyroster.conf", ours)]);
    std::fs::set_permissions(
        scene.drop_in(),
        std::os::unix::fs::PermissionsExt::from_mode(0o640),
    )
    .unwrap();
    let before = scene.seen();
    assert_eq!(scene.enable(&["--confirm-within", "2s"]).code(), Some(75));
    assert_eq!(scene.seen(), before);
    let done = scene.enable(&["--confirm-within", "never"]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert_ne!(scene.seen(), before);
    let done = scene.disable(&[]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert_eq!(scene.seen(), before);
}

#[test]
fn a_dry_run_says_that_it_would_work_and_changes_nothing() {
    let scene = Scene::new();
    let before = scene.seen();
    let done = scene.enable(&["--dry-run"]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(done.stdout.contains("+AuthorizedKeysCommand "), "{done:?}");
    assert!(done.stdout.contains("proven: a login to"), "{done:?}");
    assert!(done.stdout.contains("nothing was changed"), "{done:?}");
    assert_eq!(scene.seen(), before);
    assert!(!scene.state().exists());
    assert!(!scene.host.sshd().log().contains("Received SIGHUP"));
}

#[test]
fn a_login_that_nobody_can_try_is_left_out_only_by_name_and_said_not_to_be_proven() {
    let scene = Scene::new();
    let before = scene.seen();
    let refused = |arguments: &[&str], because: &str| {
        let done = scene.enable_alone(arguments);
        assert_eq!(done.code(), Some(78), "{done:?}");
        assert!(done.stderr.contains(because), "{done:?}");
        for way in [
            "ssh -A",
            "--preserve-env=SSH_AUTH_SOCK",
            "--trial-key FILE",
            "--without-trial-login",
        ] {
            assert!(done.stderr.contains(way), "{done:?}");
        }
        assert_eq!(scene.seen(), before);
    };
    refused(&[], "no private key is at hand");
    refused(&["--dry-run"], "no private key is at hand");
    refused(
        &["--trial-user", &scene.account.name],
        "no private key is at hand",
    );
    let other = scene.file_key.private_path().display().to_string();
    refused(
        &["--trial-key", &other],
        "none of the 1 keys at hand is granted",
    );
    let done = scene.enable_alone(&["--dry-run", "--without-trial-login"]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    let fingerprint = scene.key.fingerprint().unwrap();
    let shown = format!("lookup, as \"keyroster-lookup\", lets the granted key {fingerprint} in");
    assert!(done.stdout.contains(&shown), "{done:?}");
    assert!(done.stderr.contains("warning: NOT PROVEN"), "{done:?}");
    assert!(!done.stdout.contains("a login to"), "{done:?}");
}

#[test]
fn a_key_in_a_file_finds_the_account_that_it_is_granted_for() {
    let scene = Scene::new();
    let done = scene.enable_alone(&["--dry-run", "--trial-key", &scene.key_path()]);
    assert_eq!(done.code(), Some(0), "{done:?}");
    let shown = format!("proven: a login to \"{}\"", scene.account.name);
    assert!(done.stdout.contains(&shown), "{done:?}");
}

#[test]
fn a_group_alone_is_let_in_by_keyroster_and_a_login_of_others_does_not_confirm() {
    let scene = Scene::new();
    // The primary group of an account has its name.
    let group = scene.account.name.clone();
    let mut enable = scene.waiting(&["--match-group", &group]);
    let outside = scene.stay(&scene.other, &scene.file_key);
    keyroster_testkit::until("the other's login", crate::support::LIMIT, || {
        let log = scene.host.sshd().log();
        Ok(log
            .contains(&format!("Accepted publickey for {}", scene.other.name))
            .then_some(()))
    })
    .unwrap();
    // Longer than what waits takes between two looks.
    let asked = scene.enable(&["--dry-run"]);
    assert_eq!(asked.code(), Some(75), "{asked:?}");
    assert!(scene.pending());
    let inside = scene.stay(&scene.account, &scene.key);
    assert_eq!(
        enable.wait().unwrap().code(),
        Some(0),
        "{}",
        enable.output()
    );
    drop((outside, inside));
    let effective = |account: &Account| {
        let connection = format!("user={},host=localhost,addr=127.0.0.1", account.name);
        scene.host.sshd().effective(&connection).unwrap()
    };
    assert!(effective(&scene.account).contains("keyroster-lookup keys"));
    assert!(effective(&scene.other).contains("authorizedkeyscommand none"));
}

#[test]
fn confirming_by_hand_needs_no_login() {
    let scene = Scene::new();
    let mut enable = scene.waiting(&[]);
    let confirm = scene.enable(&["--confirm"]);
    assert_eq!(confirm.code(), Some(0), "{confirm:?}");
    assert_eq!(enable.wait().unwrap().code(), Some(0));
    assert!(scene.granted_login().is_let_in().unwrap());
    let again = scene.enable(&["--confirm"]);
    assert_eq!(again.code(), Some(64), "{again:?}");
    let again = scene.enable_alone(&[]);
    assert_eq!(again.code(), Some(0), "{again:?}");
    assert!(again.stdout.contains("it is so already"), "{again:?}");
}

#[test]
fn keyroster_alone_needs_a_break_glass_file_that_sshd_reads() {
    let scene = Scene::with(false, &[]);
    let before = scene.seen();
    let only = ["--only-keyroster", "--confirm-within", "never"];
    let refused = scene.enable(&only);
    assert_eq!(refused.code(), Some(78), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("no way in while keyroster does not answer"),
        "{refused:?}"
    );
    assert_eq!(scene.seen(), before);
    let without = scene.enable(&[&only[..], &["--without-break-glass", "--dry-run"]].concat());
    assert_eq!(without.code(), Some(0), "{without:?}");
    let dir = scene.host.dir().join("break-glass");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(dir.join(&scene.other.name), scene.file_key.public_line()).unwrap();
    let done = scene.enable(&only);
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(
        done.stdout.contains("sshd would take the break-glass keys"),
        "{done:?}"
    );
    assert!(
        scene
            .host
            .lets_in(&scene.other.name, &scene.file_key)
            .unwrap()
    );
    assert!(scene.granted_login().is_let_in().unwrap());
}
