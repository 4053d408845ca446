//! Unix accounts to run things as and to log in to.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::finish;
use crate::{Failure, Result, until};

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its primary group's id.
    pub gid: u32,
    /// Its home directory, which need not exist.
    pub home: PathBuf,
}

impl Account {
    /// Looks an account up by name, through NSS as sshd does.
    pub fn find(name: &str) -> Result<Option<Self>> {
        let entry = finish(
            Command::new("getent").args(["passwd", "--", name]),
            TOOL_LIMIT,
        )?;
        match entry.code() {
            Some(0) => parse_passwd(entry.stdout.trim_end()).map(Some),
            Some(GETENT_NOT_FOUND) => Ok(None),
            _ => Err(Failure::new(format!(
                "cannot look up account \"{name}\": {}",
                entry.stderr.trim_end()
            ))),
        }
    }

    /// The account of this name, made with a shell and no password when it is missing. It stays afterwards:
    /// several test processes share it, and none knows who is last.
    pub fn login(name: &str) -> Result<Self> {
        Self::ensure(name, "/bin/sh", "/nonexistent")
    }

    /// The same for an account that programs run as and nobody logs in to.
    pub fn service(name: &str) -> Result<Self> {
        Self::ensure(name, "/usr/sbin/nologin", "/nonexistent")
    }

    /// The account of this name, made with `shell` and `home` when it is missing.
    pub fn ensure(name: &str, shell: &str, home: &str) -> Result<Self> {
        require_root()?;
        until(
            &format!("account \"{name}\" to be made"),
            LOCK_LIMIT,
            || {
                if let Some(account) = Self::find(name)? {
                    return Ok(Some(account));
                }
                create(name, shell, home)?;
                Self::find(name)
            },
        )
    }

    /// Removes the account and its group; one that is gone already is fine.
    pub fn remove(name: &str) -> Result {
        until(
            &format!("account \"{name}\" to be removed"),
            LOCK_LIMIT,
            || {
                if Self::find(name)?.is_none() {
                    return Ok(Some(()));
                }
                let done = finish(
                    Command::new("userdel").args(["--force", "--", name]),
                    TOOL_LIMIT,
                )?;
                settle("remove", name, &done.stderr, done.code() == Some(0))?;
                Ok(None)
            },
        )
    }

    /// Makes the account the owner of a file or directory.
    pub fn own(&self, path: &std::path::Path) -> Result {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .map_err(|error| Failure::io("change the owner of", path, &error))
    }
}

/// Fails with a hint unless this process is root.
pub fn require_root() -> Result {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::new(
        "these tests need root: sshd insists on root-owned paths, and logins happen as other accounts\n\
         hint: run them through `sudo -E env \"PATH=$PATH\" cargo xtask test`",
    ))
}

/// `*` and not the default `!`: sshd takes the latter for a locked account and lets no key in.
fn create(name: &str, shell: &str, home: &str) -> Result {
    let mut command = Command::new("useradd");
    command.args([
        "--system",
        "--user-group",
        "--no-create-home",
        "--password",
        "*",
    ]);
    command.args(["--shell", shell, "--home-dir", home, "--", name]);
    let done = finish(&mut command, TOOL_LIMIT)?;
    settle(
        "make",
        name,
        &done.stderr,
        matches!(done.code(), Some(0 | USERADD_EXISTS)),
    )
}

/// Another test process that holds the lock on the password file is no failure: the caller looks again.
fn settle(action: &str, name: &str, stderr: &str, done: bool) -> Result {
    if done || stderr.contains("lock") {
        return Ok(());
    }
    Err(Failure::new(format!(
        "cannot {action} account \"{name}\": {}",
        stderr.trim_end()
    )))
}

fn parse_passwd(line: &str) -> Result<Account> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, _] = fields.as_slice() else {
        return Err(Failure::new(format!("not a passwd entry: \"{line}\"")));
    };
    let number = |text: &str| {
        text.parse()
            .map_err(|_| Failure::new(format!("not an id: \"{text}\"")))
    };
    Ok(Account {
        name: (*name).to_owned(),
        uid: number(uid)?,
        gid: number(gid)?,
        home: PathBuf::from(home),
    })
}

/// `getent` says so with this exit code.
const GETENT_NOT_FOUND: i32 = 2;
/// `useradd` says so with this exit code.
const USERADD_EXISTS: i32 = 9;
/// The longest that one of the account tools may take.
const TOOL_LIMIT: Duration = Duration::from_secs(20);
/// The longest that the password file may stay locked by others.
const LOCK_LIMIT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_with_its_home() {
        let root = Account::find("root").unwrap().unwrap();
        assert_eq!(
            (root.uid, root.gid, root.home),
            (0, 0, PathBuf::from("/root"))
        );
    }

    #[test]
    fn an_account_that_does_not_exist_is_absence_and_no_error() {
        assert_eq!(Account::find("keyroster-nobody-has-this").unwrap(), None);
    }

    #[test]
    fn a_name_that_looks_like_an_option_is_only_a_name() {
        assert_eq!(Account::find("--help").unwrap(), None);
    }
}
