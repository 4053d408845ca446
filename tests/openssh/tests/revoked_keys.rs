//! Key revocation lists as keyroster writes them, read by the real `ssh-keygen` and the real sshd.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keyroster_keys::krl::{KrlHead, write_krl};
use keyroster_keys::{Fingerprint, Fingerprints};
use keyroster_testkit::{Account, RootDir, Ssh, SshKey, Sshd, finish};

/// A list of these keys.
fn list(keys: &[&SshKey]) -> Vec<u8> {
    let fingerprint = |key: &&SshKey| Fingerprint::parse(&key.fingerprint().unwrap()).unwrap();
    let revoked: Fingerprints = keys.iter().map(fingerprint).collect();
    let head = KrlHead {
        version: 42,
        generated_at: 1_795_250_096,
        comment: "keyroster 1.42".to_owned(),
    };
    write_krl(&head, &revoked)
}

fn put(dir: &RootDir, bytes: &[u8]) -> PathBuf {
    dir.file("revoked.krl", bytes, 0o644).unwrap()
}

/// What `ssh-keygen -Q` says: whether it is revoked.
fn is_revoked(krl: &Path, key: &Path) -> bool {
    let mut command = Command::new("ssh-keygen");
    let said = finish(command.arg("-Qf").arg(krl).arg(key), LIMIT).unwrap();
    match said.stdout.trim_end() {
        line if line.ends_with(": ok") => assert!(said.status.success(), "{said:?}"),
        line if line.ends_with(": REVOKED") => assert_eq!(said.code(), Some(1), "{said:?}"),
        line => unreachable!("\"{line}\" is neither"),
    }
    !said.status.success()
}

/// Has `authority` sign a certificate over `key`, for this account.
fn certify(authority: &SshKey, key: &SshKey, account: &str) -> PathBuf {
    let mut command = Command::new("ssh-keygen");
    command
        .args(["-q", "-I", "id", "-n", account, "-s"])
        .arg(authority.private_path())
        .arg(key.public_path());
    let signed = finish(&mut command, LIMIT).unwrap();
    signed.success("ssh-keygen -s").unwrap();
    let name = key.private_path().file_name().unwrap().to_str().unwrap();
    key.private_path()
        .with_file_name(format!("{name}-cert.pub"))
}

#[test]
fn ssh_keygen_finds_revoked_keys_and_certificates_over_them_and_no_others() {
    let dir = RootDir::new().unwrap();
    let [revoked, other, authority] =
        ["revoked", "other", "ca"].map(|name| SshKey::ed25519(dir.path(), name).unwrap());
    let ecdsa = SshKey::ecdsa(dir.path(), "ecdsa", 256).unwrap();
    let krl = put(&dir, &list(&[&revoked, &ecdsa]));
    for (key, expected) in [(&revoked, true), (&ecdsa, true), (&other, false)] {
        assert_eq!(is_revoked(&krl, &key.public_path()), expected, "{key:?}");
        let certificate = certify(&authority, key, "alice");
        assert_eq!(is_revoked(&krl, &certificate), expected, "{certificate:?}");
    }
    // "…or, where the key is a CA's, every certificate that it signed."
    let krl = put(&dir, &list(&[&authority]));
    let certificate = certify(&authority, &other, "alice");
    assert!(is_revoked(&krl, &certificate));
    assert!(!is_revoked(&krl, &other.public_path()));
}

#[test]
fn ssh_keygen_lists_what_was_written() {
    let dir = RootDir::new().unwrap();
    let key = SshKey::ed25519(dir.path(), "k").unwrap();
    let krl = put(&dir, &list(&[&key]));
    let mut command = Command::new("ssh-keygen");
    let said = finish(command.args(["-Q", "-l", "-f"]).arg(&krl), LIMIT).unwrap();
    let said = said.success("ssh-keygen -Q -l").unwrap();
    assert!(said.contains("# KRL version 42"), "{said}");
    assert!(said.contains("# Comment: keyroster 1.42"), "{said}");
    // It prints the digest in hex.
    let fingerprint = Fingerprint::parse(&key.fingerprint().unwrap()).unwrap();
    let hex: String = fingerprint
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let hash = format!("hash: SHA256:{hex}\n");
    assert!(said.contains(&hash), "{said}");
}

#[test]
fn an_empty_list_is_one_and_refuses_nobody() {
    let dir = RootDir::new().unwrap();
    let key = SshKey::ed25519(dir.path(), "k").unwrap();
    assert!(!is_revoked(&put(&dir, &list(&[])), &key.public_path()));
}

/// An sshd that takes keys from a file in a home directory and certificates of an authority, and knows a list.
struct Scene {
    sshd: Sshd,
    dir: RootDir,
    account: Account,
    authority: SshKey,
}

impl Scene {
    fn new(account: &str) -> Self {
        let account = Account::login(account).unwrap();
        let dir = RootDir::new().unwrap();
        let authority = SshKey::ed25519(dir.path(), "ca").unwrap();
        let krl = put(&dir, &list(&[]));
        let config = format!(
            "AuthorizedKeysFile {0}/home/%u\nTrustedUserCAKeys {0}/ca.pub\nRevokedKeys {1}\n",
            dir.path().display(),
            krl.display()
        );
        dir.dir("home", 0o755).unwrap();
        let sshd = Sshd::builder().config(&config).start().unwrap();
        Self {
            sshd,
            dir,
            account,
            authority,
        }
    }

    /// Puts this key into the home directory.
    fn at_home(&self, keys: &[&SshKey]) {
        let lines: String = keys
            .iter()
            .map(|key| format!("{}\n", key.public_line()))
            .collect();
        let name = format!("home/{}", self.account.name);
        self.dir.file(&name, lines, 0o644).unwrap();
    }

    fn lets_in(&self, key: &SshKey) -> bool {
        let ssh = Ssh::to(&self.sshd, &self.account.name).key(key);
        ssh.is_let_in().unwrap()
    }

    /// What sshd has logged since it had logged so much.
    fn log_since(&self, size: u64) -> String {
        self.sshd.log_from(size)
    }
}

#[test]
fn sshd_refuses_a_revoked_key_in_a_home_directory_and_lets_another_in() {
    let scene = Scene::new("keyroster-t1");
    let [lost, good] =
        ["lost", "good"].map(|name| SshKey::ed25519(scene.dir.path(), name).unwrap());
    scene.at_home(&[&lost, &good]);
    assert!(scene.lets_in(&lost) && scene.lets_in(&good));
    put(&scene.dir, &list(&[&lost]));
    let size = scene.sshd.log_size();
    assert!(!scene.lets_in(&lost));
    let log = scene.log_since(size);
    assert!(log.contains("revoked by file"), "{log}");
    assert!(scene.lets_in(&good), "{}", scene.sshd.log());
}

#[test]
fn sshd_refuses_a_certificate_over_a_revoked_key_and_takes_another() {
    let scene = Scene::new("keyroster-t1");
    let [lost, good] =
        ["lost", "good"].map(|name| SshKey::ed25519(scene.dir.path(), name).unwrap());
    for key in [&lost, &good] {
        certify(&scene.authority, key, &scene.account.name);
        assert!(scene.lets_in(key), "{}", scene.sshd.log());
    }
    put(&scene.dir, &list(&[&lost]));
    assert!(!scene.lets_in(&lost) && scene.lets_in(&good));
}

#[test]
fn a_list_that_is_missing_or_cut_off_refuses_every_key() {
    let scene = Scene::new("keyroster-t1");
    let [lost, good] =
        ["lost", "good"].map(|name| SshKey::ed25519(scene.dir.path(), name).unwrap());
    scene.at_home(&[&good]);
    let whole = list(&[&lost]);
    put(&scene.dir, &whole);
    assert!(scene.lets_in(&good));
    for bytes in [&whole[..whole.len() - 1], &whole[..20]] {
        put(&scene.dir, bytes);
        assert!(!scene.lets_in(&good), "{} bytes", bytes.len());
    }
    std::fs::remove_file(scene.dir.path().join("revoked.krl")).unwrap();
    assert!(!scene.lets_in(&good));
    put(&scene.dir, &whole);
    assert!(scene.lets_in(&good));
}

/// The longest that `ssh-keygen` may take.
const LIMIT: Duration = Duration::from_secs(20);
