//! Each rule against the sshd of this machine: what is called shut is refused, and what is called open gets in.

use std::process::Command;

use keyroster_keys::KeyBlob;
use keyroster_sshd::account::Account;
use keyroster_sshd::run::{TOOL_LIMIT, finish};
use keyroster_testkit as testkit;
use keyroster_testkit::{RootDir, Ssh, SshKey};

use super::*;

/// Lines, and whether root and the other account get in with them.
const CASES: [(&str, bool, bool); 17] = [
    ("", true, true),
    ("PermitRootLogin no", false, true),
    ("PermitRootLogin forced-commands-only", false, true),
    ("PermitRootLogin prohibit-password", true, true),
    ("PubkeyAuthentication no", false, false),
    ("AuthenticationMethods publickey,publickey", false, false),
    ("AuthenticationMethods publickey", true, true),
    ("PubkeyAcceptedKeyTypes ssh-rsa,rsa-sha2-512", false, false),
    ("PubkeyAcceptedKeyTypes ssh-ed25519*", true, true),
    ("DenyUsers keyroster-t?", true, false),
    ("DenyUsers !root root@192.0.2.*", true, true),
    ("DenyUsers root@*", false, true),
    ("AllowUsers daemon root", true, false),
    ("AllowUsers keyroster-t1@127.*", false, true),
    ("DenyGroups root", false, true),
    ("AllowGroups *-t1 wheel", false, true),
    (
        "AllowUsers root keyroster-t1\nAllowGroups root",
        true,
        false,
    ),
];

#[test]
fn what_is_called_shut_is_refused_and_what_is_called_open_gets_in() {
    testkit::Account::login(OTHER).unwrap();
    let dir = RootDir::new().unwrap();
    let key = SshKey::ed25519(dir.path(), "a").unwrap();
    for (lines, root, other) in CASES {
        let decided = decide(&dir, &key, lines, &["root", OTHER]);
        assert_eq!(decided, [(root, root), (other, other)], "{lines}");
    }
}

#[test]
fn an_account_that_is_locked_or_has_expired_or_has_no_shell_is_refused() {
    let dir = RootDir::new().unwrap();
    let key = SshKey::ed25519(dir.path(), "a").unwrap();
    for (account, change) in [
        ("keyroster-t-locked", &["usermod", "--lock"][..]),
        (
            "keyroster-t-expired",
            &["chage", "--expiredate", "2020-01-01"],
        ),
        (
            "keyroster-t-shell",
            &["usermod", "--shell", "/no/such/shell"],
        ),
    ] {
        testkit::Account::login(account).unwrap();
        let before = decide(&dir, &key, "", &[account]);
        let [program, arguments @ ..] = change else {
            panic!("a program and its arguments");
        };
        let mut command = Command::new(program);
        finish(command.args(arguments).arg(account), TOOL_LIMIT)
            .and_then(|done| done.success("the change"))
            .unwrap();
        let after = decide(&dir, &key, "", &[account]);
        testkit::Account::remove(account).unwrap();
        assert_eq!(before, [(true, true)], "{account}");
        assert_eq!(after, [(false, false)], "{account}");
    }
}

/// What is decided here of each account, and what sshd does.
fn decide(dir: &RootDir, key: &SshKey, lines: &str, accounts: &[&str]) -> Vec<(bool, bool)> {
    let file = dir.file("keys", key.public_line(), 0o644).unwrap();
    let text = format!("AuthorizedKeysFile {}\n{lines}\n", file.display());
    let sshd = testkit::Sshd::builder().config(&text).start().unwrap();
    let (algorithm, blob) = key.parts();
    let blob = KeyBlob::parse(algorithm, blob).unwrap();
    let today = crate::clock::Calendar::now().today();
    let decide = |account: &&str| {
        let login = format!("user={account},host=localhost,addr=127.0.0.1");
        let effective = Effective::parse(&sshd.effective(&login).unwrap());
        let found = Account::find(account).unwrap().unwrap();
        let who = Applicant::look(&found, today).unwrap();
        let open = may_log_in(&who, &effective) == Admission::Open;
        let gets_in = Ssh::to(&sshd, account).key(key).is_let_in().unwrap();
        (open && takes(blob.algorithm(), &effective), gets_in)
    };
    accounts.iter().map(decide).collect()
}

const OTHER: &str = "keyroster-t1";
