//! The ways in that ask nobody: break-glass files, and other files of keys that sshd still reads.

use std::path::{Path, PathBuf};

use keyroster_keys::AccountName;
use keyroster_sshd::account::Account;

use crate::break_glass::Accepted;
use crate::break_glass::check::{Checked, Named, Rules, Verdict, check, named};
use crate::break_glass::keys;
use crate::doctor::checks::key_files::is_break_glass;
use crate::doctor::facts::files::read_some;
use crate::doctor::facts::sshd::{Asked, SshdFacts};
use crate::doctor::facts::{Seen, Unseen};

/// The ways in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BreakGlassFacts {
    /// Where the files are.
    pub directory: PathBuf,
    /// The files, by account.
    pub files: Vec<File>,
    /// Files of keys elsewhere that sshd reads and that hold a key.
    pub elsewhere: Vec<PathBuf>,
}

/// A break-glass file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its account.
    pub account: String,
    /// Whether sshd would let somebody in by it.
    pub verdict: Verdict,
    /// What is wrong with it, and what mends that.
    pub faults: Vec<(String, String)>,
    /// Whether sshd reads the directory for this account.
    pub read: bool,
}

/// Looks at all of them.
///
/// # Errors
/// When the directory may not be read.
pub fn gather(
    directory: &Path,
    accepted: Accepted,
    sshd: Option<&SshdFacts>,
) -> Seen<BreakGlassFacts> {
    let passwd = std::fs::read_to_string(crate::peers::PASSWD).map_err(Unseen::because)?;
    let rules = Rules {
        accepted,
        passwd: &passwd,
        revoked: None,
    };
    let names = named(directory)
        .map_err(|err| Unseen(format!("can't read \"{}\": {err}", directory.display())))?;
    let logins = sshd.map(|sshd| sshd.logins.as_slice()).unwrap_or_default();
    let file = |name: Named| match name {
        Named::Account(account) => Some(of(
            check(directory, &account, &rules),
            directory,
            &account,
            logins,
        )),
        Named::Stray(_) => None,
    };
    let mut elsewhere: Vec<PathBuf> = logins
        .iter()
        .flat_map(|asked| others(asked, directory))
        .collect();
    elsewhere.sort_unstable();
    elsewhere.dedup();
    Ok(BreakGlassFacts {
        directory: directory.to_owned(),
        files: names.into_iter().filter_map(file).collect(),
        elsewhere,
    })
}

fn of(checked: Checked, directory: &Path, account: &AccountName, logins: &[Asked]) -> File {
    let login = logins
        .iter()
        .find(|asked| asked.login.user == account.as_str());
    // An account that sshd was not asked about is like most others.
    let login = login.or_else(|| logins.first());
    let read = login.is_some_and(|asked| {
        let mut files = asked.effective.key_files();
        files.any(|file| is_break_glass(file, directory))
    });
    let faults = checked.faults.iter();
    File {
        account: account.to_string(),
        verdict: checked.verdict(),
        faults: faults
            .map(|fault| (fault.to_string(), fault.hint()))
            .collect(),
        read,
    }
}

/// Files of keys elsewhere with a key in them.
fn others(asked: &Asked, directory: &Path) -> Vec<PathBuf> {
    let Ok(Some(account)) = Account::find(&asked.login.user) else {
        return Vec::new();
    };
    let patterns = asked
        .effective
        .key_files()
        .filter(|file| !is_break_glass(file, directory));
    let paths = patterns.map(|pattern| expand(pattern, &account));
    paths.filter(|path| has_key(path)).collect()
}

fn has_key(path: &Path) -> bool {
    read_some(path, MAX_FILE_BYTES).is_ok_and(|bytes| !keys::read(&bytes).0.is_empty())
}

/// The tokens of `AuthorizedKeysFile`: sshd_config(5).
fn expand(pattern: &str, account: &Account) -> PathBuf {
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

const MAX_FILE_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_accounts() {
        let account = Account {
            name: "deploy".to_owned(),
            uid: 1001,
            gid: 1001,
            home: "/home/deploy".into(),
            shell: "/bin/sh".into(),
        };
        for (pattern, path) in [
            (".ssh/authorized_keys", "/home/deploy/.ssh/authorized_keys"),
            ("%h/.ssh/a", "/home/deploy/.ssh/a"),
            ("/etc/keys/%u-%U", "/etc/keys/deploy-1001"),
            ("/a%%b", "/a%b"),
        ] {
            assert_eq!(expand(pattern, &account), Path::new(path));
        }
    }
}
