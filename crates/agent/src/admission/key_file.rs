//! Files of keys that sshd reads as they are: `AuthorizedKeysFile`.
//!
//! With `StrictModes` sshd believes a file when it and every directory above it, up to the home directory or else up to the
//! root, is the account's or root's and nobody else can write there (`auth_secure_path` in OpenSSH's `misc.c`). It reads the file as the account.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use keyroster_keys::Fingerprints;
use keyroster_sshd::Effective;
use keyroster_sshd::account::Account;

use crate::admission::takes;
use crate::break_glass::keys::{self, Entry};
use crate::clock::Calendar;
use crate::doctor::facts::files::read_some;

/// What a key of a file is held against.
#[derive(Debug, Clone, Copy)]
pub struct Measure<'a> {
    /// What sshd does for the account.
    pub effective: &'a Effective,
    /// The revoked keys, where they are known.
    pub revoked: Option<&'a Fingerprints>,
    /// Now.
    pub now: Calendar,
}

impl Measure<'_> {
    /// Whether a key lets somebody in: it has not ended, nobody has revoked it, sshd takes its type, and it is no certificate
    /// authority. A revoked one counts as none even where sshd does not read the list.
    #[must_use]
    pub fn counts(&self, entry: &Entry) -> bool {
        let revoked = |keys: &Fingerprints| keys.contains(&entry.fingerprint);
        !entry.is_authority()
            && !entry.has_ended(self.now)
            && !self.revoked.is_some_and(revoked)
            && takes(entry.algorithm, self.effective)
    }
}

/// The files of keys that sshd reads for an account, and that hold one that lets somebody in.
pub fn that_let_in(account: &Account, measure: &Measure<'_>) -> Vec<PathBuf> {
    let strict = measure.effective.first("StrictModes") != Some("no");
    let patterns = measure.effective.key_files();
    let paths = patterns.map(|pattern| expand(pattern, account));
    let lets_in = |path: &PathBuf| {
        let believed = !strict || is_believed(path, account);
        let bytes = read_some(path, MAX_FILE_BYTES).unwrap_or_default();
        let (entries, _) = keys::read(&bytes);
        believed && is_readable(path, account) && entries.iter().any(|it| measure.counts(it))
    };
    paths.filter(lets_in).collect()
}

/// Whether a file holds any key at all, whatever sshd thinks of the file.
#[must_use]
pub fn holds_key(path: &Path) -> bool {
    read_some(path, MAX_FILE_BYTES).is_ok_and(|bytes| !keys::read(&bytes).0.is_empty())
}

/// The file that a pattern of `AuthorizedKeysFile` names, by the tokens of sshd_config(5).
#[must_use]
pub fn expand(pattern: &str, account: &Account) -> PathBuf {
    let mut path = String::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        match (c, (c == '%').then(|| characters.next()).flatten()) {
            ('%', Some('u')) => path.push_str(&account.name),
            ('%', Some('U')) => path.push_str(&account.uid.to_string()),
            ('%', Some('h')) => path.push_str(&account.home.to_string_lossy()),
            ('%', Some(other)) => path.push(other),
            (c, _) => path.push(c),
        }
    }
    account.home.join(path)
}

fn is_believed(path: &Path, account: &Account) -> bool {
    let Ok(real) = path.canonicalize() else {
        return false;
    };
    let home = account.home.canonicalize().ok();
    for part in real.ancestors() {
        let safe = |it: &Metadata| {
            [ROOT, account.uid].contains(&it.uid()) && it.mode() & WRITABLE_BY_OTHERS == 0
        };
        if !fs::metadata(part).is_ok_and(|it| safe(&it)) {
            return false;
        }
        if home.as_deref() == Some(part) {
            return true;
        }
    }
    true
}

/// Whether the account can read it. Other groups than its first are left out: what they alone may read counts as hidden.
fn is_readable(path: &Path, account: &Account) -> bool {
    let Ok(real) = path.canonicalize() else {
        return false;
    };
    let mut parts = real.ancestors().enumerate();
    account.uid == ROOT
        || parts.all(|(depth, part)| {
            let needed = if depth == 0 { READ } else { ENTER };
            fs::metadata(part).is_ok_and(|it| {
                let right = match (it.uid() == account.uid, it.gid() == account.gid) {
                    (true, _) => needed << OWNERS,
                    (false, true) => needed << GROUPS,
                    (false, false) => needed,
                };
                it.mode() & right != 0
            })
        })
}

const ROOT: u32 = 0;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const READ: u32 = 0o4;
const ENTER: u32 = 0o1;
/// Bits from the rights of others to those of the owner and of the group.
const OWNERS: u32 = 6;
const GROUPS: u32 = 3;
const MAX_FILE_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown};

    use keyroster_testkit::RootDir;

    use super::*;
    use crate::break_glass::files::tests::{PLAIN, hardware};

    const UID: u32 = 1001;

    fn account(home: &Path) -> Account {
        Account {
            name: "deploy".to_owned(),
            uid: UID,
            gid: UID,
            home: home.to_owned(),
            shell: "/bin/sh".into(),
        }
    }

    const NOW: Calendar = Calendar {
        utc_s: 1_800_000_000,
        local_s: 1_800_003_600,
    };

    /// A home with a file of keys, as ssh-copy-id makes it.
    fn home(text: &str) -> (RootDir, PathBuf) {
        let root = RootDir::named("keyroster-test-key-file").unwrap();
        let dir = root.dir("home", 0o755).unwrap();
        root.dir("home/.ssh", 0o700).unwrap();
        root.file("home/.ssh/keys", text, 0o600).unwrap();
        for path in [&dir, &dir.join(".ssh"), &dir.join(".ssh/keys")] {
            chown(path, Some(UID), Some(UID)).unwrap();
        }
        (root, dir)
    }

    fn lets_in(home: &Path, said: &str, revoked: Option<&Fingerprints>) -> bool {
        let said = format!("authorizedkeysfile .ssh/keys\n{said}");
        let effective = Effective::parse(&said);
        let measure = Measure {
            effective: &effective,
            revoked,
            now: NOW,
        };
        !that_let_in(&account(home), &measure).is_empty()
    }

    #[test]
    fn tokens_are_the_accounts() {
        for (pattern, path) in [
            (".ssh/authorized_keys", "/home/deploy/.ssh/authorized_keys"),
            ("%h/.ssh/a", "/home/deploy/.ssh/a"),
            ("/etc/keys/%u-%U", "/etc/keys/deploy-1001"),
            ("/a%%u/%u", "/a%u/deploy"),
        ] {
            let expanded = expand(pattern, &account(Path::new("/home/deploy")));
            assert_eq!(expanded, Path::new(path));
        }
    }

    #[test]
    fn a_key_in_a_file_that_is_the_accounts_alone_lets_in() {
        let (_root, home) = home(&format!("{PLAIN}\n"));
        assert!(lets_in(&home, "", None));
        assert!(!lets_in(Path::new("/nowhere"), "", None));
    }

    #[test]
    fn a_file_that_others_can_write_or_own_is_not_believed_unless_strict_modes_is_off() {
        let (_root, home) = home(&format!("{PLAIN}\n"));
        for (path, mode) in [
            (home.join(".ssh/keys"), 0o600),
            (home.join(".ssh"), 0o700),
            (home.clone(), 0o755),
        ] {
            let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            set(mode | 0o020);
            assert!(!lets_in(&home, "strictmodes yes\n", None), "{path:?}");
            assert!(lets_in(&home, "strictmodes no\n", None), "{path:?}");
            set(mode);
            chown(&path, Some(4242), None).unwrap();
            assert!(!lets_in(&home, "", None), "{path:?}");
            chown(&path, Some(UID), None).unwrap();
        }
        assert!(lets_in(&home, "", None));
    }

    #[test]
    fn a_file_that_the_account_can_not_read_lets_nobody_in() {
        let (_root, home) = home(&format!("{PLAIN}\n"));
        chown(home.join(".ssh/keys"), Some(0), Some(0)).unwrap();
        assert!(!lets_in(&home, "", None));
        chown(home.join(".ssh/keys"), Some(0), Some(UID)).unwrap();
        let mode = fs::Permissions::from_mode(0o640);
        fs::set_permissions(home.join(".ssh/keys"), mode).unwrap();
        assert!(lets_in(&home, "", None));
    }

    #[test]
    fn a_key_that_ended_or_is_revoked_or_of_a_type_that_sshd_refuses_lets_nobody_in() {
        for (line, said) in [
            (format!("expiry-time=\"20261231Z\" {PLAIN}"), ""),
            (format!("cert-authority {PLAIN}"), ""),
            (hardware(1), "pubkeyacceptedalgorithms ssh-ed25519\n"),
            ("# nothing".to_owned(), ""),
        ] {
            let (_root, home) = home(&format!("{line}\n"));
            assert!(!lets_in(&home, said, None), "{line}");
        }
        let (_root, home) = home(&format!("{PLAIN}\n"));
        let fingerprint = keys::read(PLAIN.as_bytes()).0[0].fingerprint;
        let revoked = Fingerprints::from_bytes(fingerprint.as_bytes()).unwrap();
        assert!(!lets_in(&home, "", Some(&revoked)));
    }
}
