//! Files as they may be found, in a directory that is root's as /etc is.

use std::os::unix::fs::{chown, symlink};

use keyroster_testkit::RootDir;

use super::*;
use crate::break_glass::files::tests::{PLAIN, hardware};

const PASSWD: &str = "root:x:0:0::/root:/bin/sh\ndeploy:x:1000:1000::/home/deploy:/bin/sh\nmail:x:8:8::/var/mail:/usr/sbin/nologin\n";

/// In January 2027.
const NOW: Calendar = Calendar {
    utc_s: 1_800_000_000,
    local_s: 1_800_000_000,
};

struct Stage {
    root: RootDir,
    dir: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let root = RootDir::named("keyroster-test-break-glass").unwrap();
        let dir = root.dir("break-glass", 0o755).unwrap();
        Self { root, dir }
    }

    fn put(&self, account: &str, text: &str) -> PathBuf {
        self.root
            .file(&format!("break-glass/{account}"), text, 0o644)
            .unwrap()
    }

    fn check(&self, account: &str) -> Checked {
        self.check_by(account, Accepted::Hardware)
    }

    fn check_by(&self, account: &str, accepted: Accepted) -> Checked {
        let rules = Rules {
            accepted,
            passwd: PASSWD,
            revoked: None,
            now: NOW,
        };
        check(&self.dir, &AccountName::parse(account).unwrap(), &rules)
    }
}

fn mode(path: &Path, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(path, mode).unwrap();
}

#[test]
fn a_hardware_key_in_a_file_of_roots_is_a_way_in() {
    let stage = Stage::new();
    for account in ["root", "deploy"] {
        stage.put(account, &format!("{} safe\n", hardware(1)));
        let checked = stage.check(account);
        assert_eq!(
            (checked.verdict(), checked.faults),
            (Verdict::Works, vec![])
        );
        assert_eq!(checked.keys.len(), 1);
    }
}

#[test]
fn a_key_that_is_not_in_hardware_is_a_weakness_unless_the_setting_says_otherwise() {
    let stage = Stage::new();
    stage.put("deploy", &format!("{PLAIN}\n"));
    let checked = stage.check("deploy");
    assert_eq!(checked.verdict(), Verdict::Weak);
    assert!(matches!(
        checked.faults[..],
        [Fault::NotHardware { line: 1, .. }]
    ));
    assert_eq!(
        stage.check_by("deploy", Accepted::Any).verdict(),
        Verdict::Works
    );
}

#[test]
fn a_revoked_key_is_named() {
    let stage = Stage::new();
    stage.put("deploy", &format!("{}\n", hardware(1)));
    let key = stage.check("deploy").keys[0].fingerprint;
    let revoked = Fingerprints::from_bytes(key.as_bytes()).unwrap();
    let rules = Rules {
        accepted: Accepted::Hardware,
        passwd: PASSWD,
        revoked: Some(&revoked),
        now: NOW,
    };
    let check = || check(&stage.dir, &AccountName::parse("deploy").unwrap(), &rules);
    let alone = check();
    assert!(matches!(
        alone.faults[..],
        [Fault::Spent(_), Fault::Revoked { .. }]
    ));
    assert_eq!(alone.verdict(), Verdict::Broken);
    stage.put("deploy", &format!("{}\n{}\n", hardware(1), hardware(2)));
    let beside_another = check();
    assert!(matches!(
        beside_another.faults[..],
        [Fault::Revoked { line: 1, .. }]
    ));
    assert_eq!(beside_another.verdict(), Verdict::Weak);
}

/// sshd(8): the key is not accepted after its expiry-time.
#[test]
fn a_file_whose_keys_have_all_ended_is_no_way_in() {
    let stage = Stage::new();
    let ended = format!("expiry-time=\"20261231Z\" {}\n", hardware(1));
    stage.put("deploy", &ended);
    let checked = stage.check("deploy");
    assert_eq!(checked.verdict(), Verdict::Broken);
    assert!(matches!(checked.faults[0], Fault::Spent(_)));
    stage.put("deploy", &format!("{ended}{}\n", hardware(2)));
    let checked = stage.check("deploy");
    assert_eq!(checked.verdict(), Verdict::Weak);
    let living: Vec<_> = checked.living().map(|entry| entry.line).collect();
    assert_eq!(living, [2]);
    let later = format!("expiry-time=\"20991231Z\" {}\n", hardware(1));
    stage.put("deploy", &later);
    assert_eq!(stage.check("deploy").verdict(), Verdict::Weak);
}

#[test]
fn what_sshd_refuses_of_the_file_or_a_directory_above_it_breaks_the_way_in() {
    let stage = Stage::new();
    let file = stage.put("deploy", &format!("{}\n", hardware(1)));
    for (path, right) in [(&file, 0o644), (&stage.dir, 0o755)] {
        for wrong in [right | 0o020, right | 0o002] {
            mode(path, wrong);
            let faults = stage.check("deploy").faults;
            assert!(
                matches!(&faults[..], [Fault::Writable { path: named, .. }] if named == path),
                "{faults:?}"
            );
        }
        mode(path, right & 0o770);
        let faults = stage.check("deploy").faults;
        assert!(
            matches!(&faults[..], [Fault::Hidden { path: named, .. }] if named == path),
            "{faults:?}"
        );
        mode(path, right);
        chown(path, Some(4242), None).unwrap();
        let faults = stage.check("deploy").faults;
        assert!(
            matches!(&faults[..], [Fault::Owner { uid: 4242, path: named }] if named == path),
            "{faults:?}"
        );
        chown(path, Some(1000), None).unwrap();
        assert_eq!(stage.check("deploy").verdict(), Verdict::Weak);
        chown(path, Some(0), None).unwrap();
    }
    assert_eq!(stage.check("deploy").verdict(), Verdict::Works);
}

#[test]
fn a_file_that_is_not_there_or_is_none_or_has_no_key_breaks_the_way_in() {
    let stage = Stage::new();
    assert!(matches!(
        stage.check("deploy").faults[..],
        [Fault::Missing(_)]
    ));
    stage.put("deploy", "# nothing\n\n");
    assert!(matches!(
        stage.check("deploy").faults[..],
        [Fault::NoKey(_)]
    ));
    stage.put("deploy", "nonsense\n");
    assert!(matches!(
        stage.check("deploy").faults[..],
        [Fault::NoKey(_), Fault::Line { line: 1, .. }]
    ));
    stage.put(
        "deploy",
        &"#".repeat(usize::try_from(FILE_MAX).unwrap() + 1),
    );
    assert!(matches!(
        stage.check("deploy").faults[..],
        [Fault::TooLong { .. }]
    ));
    fs::remove_file(stage.dir.join("deploy")).unwrap();
    rustix::fs::mkdirat(
        rustix::fs::CWD,
        stage.dir.join("deploy"),
        rustix::fs::Mode::RWXU,
    )
    .unwrap();
    assert!(matches!(
        stage.check("deploy").faults[..],
        [Fault::NotPlain(_)]
    ));
}

#[test]
fn a_pipe_in_the_files_place_does_not_hang_the_look() {
    let stage = Stage::new();
    let made = std::process::Command::new("mkfifo")
        .arg(stage.dir.join("deploy"))
        .status();
    assert!(made.unwrap().success());
    assert!(matches!(
        stage.check("deploy").faults[..],
        [Fault::NotPlain(_)]
    ));
}

/// sshd goes by the real path.
#[test]
fn a_link_is_as_good_as_what_it_leads_to() {
    let stage = Stage::new();
    let elsewhere = stage.root.dir("elsewhere", 0o777).unwrap();
    let text = format!("{}\n", hardware(1));
    stage.root.file("elsewhere/keys", &text, 0o644).unwrap();
    symlink(elsewhere.join("keys"), stage.dir.join("deploy")).unwrap();
    let faults = stage.check("deploy").faults;
    assert!(
        matches!(&faults[..], [Fault::Writable { path, .. }] if *path == elsewhere),
        "{faults:?}"
    );
}

#[test]
fn an_account_that_is_not_local_or_has_no_shell_is_no_way_in() {
    let stage = Stage::new();
    let text = format!("{}\n", hardware(1));
    stage.put("alice", &text);
    assert!(matches!(
        stage.check("alice").faults[..],
        [Fault::NoAccount(_)]
    ));
    stage.put("mail", &text);
    assert!(matches!(
        stage.check("mail").faults[..],
        [Fault::NoShell { .. }]
    ));
}

#[test]
fn options_that_can_keep_the_key_out_are_named() {
    let stage = Stage::new();
    stage.put(
        "deploy",
        &format!("from=\"192.0.2.0/24\" {}\n", hardware(1)),
    );
    let checked = stage.check("deploy");
    assert_eq!(checked.verdict(), Verdict::Weak);
    assert!(matches!(
        checked.faults[..],
        [Fault::Limited {
            line: 1,
            option: "from"
        }]
    ));
    stage.put(
        "deploy",
        &format!("cert-authority,principals=\"deploy\" {}\n", hardware(1)),
    );
    assert_eq!(stage.check("deploy").verdict(), Verdict::Broken);
}

#[test]
fn files_under_no_accounts_name_are_told_apart() {
    let stage = Stage::new();
    assert_eq!(named(&stage.root.path().join("none")).unwrap(), []);
    for name in ["deploy", ".deploy.new", "1000"] {
        stage.put(name, "");
    }
    assert_eq!(
        named(&stage.dir).unwrap(),
        [
            Named::Stray(stage.dir.join(".deploy.new")),
            Named::Stray(stage.dir.join("1000")),
            Named::Account(AccountName::parse("deploy").unwrap()),
        ]
    );
}
