//! Accounts, groups and memberships, as the host's name services know them: a login asks those and not `/etc/passwd`.
//!
//! `getent` and `id` ask in a process of their own, which a directory that hangs can't take down with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::SshdError;
use crate::run::{TOOL_LIMIT, finish};

/// A Unix account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// The id of its primary group.
    pub gid: u32,
    /// Its home directory.
    pub home: PathBuf,
    /// Its shell.
    pub shell: PathBuf,
}

impl Account {
    /// The account of this name; none when there is none.
    ///
    /// # Errors
    /// When the name services can't be asked.
    pub fn find(name: &str) -> Result<Option<Self>, SshdError> {
        // What is all digits would be taken for a number.
        let found = getent("passwd", name)?.as_deref().and_then(Self::parse);
        Ok(found.filter(|account| account.name == name))
    }

    /// The account of this number; none when there is none.
    ///
    /// # Errors
    /// When the name services can't be asked.
    pub fn by_uid(uid: u32) -> Result<Option<Self>, SshdError> {
        let found = getent("passwd", &uid.to_string())?
            .as_deref()
            .and_then(Self::parse);
        Ok(found.filter(|account| account.uid == uid))
    }

    /// The accounts of `/etc/passwd`: those that a directory adds are not listed by most of them.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn local() -> Result<Vec<Self>, SshdError> {
        let path = Path::new("/etc/passwd");
        let text = std::fs::read_to_string(path).map_err(|err| SshdError::io("read", path, err))?;
        Ok(text.lines().filter_map(Self::parse).collect())
    }

    /// The names of all groups that the account is in, the primary one first.
    ///
    /// # Errors
    /// When the name services can't be asked.
    pub fn groups(&self) -> Result<Vec<String>, SshdError> {
        let mut command = Command::new("id");
        command.args(["-Gn", "--", &self.name]);
        let said = finish(&mut command, TOOL_LIMIT)?.success("id")?;
        Ok(said.split_whitespace().map(str::to_owned).collect())
    }

    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.trim_end().split(':').collect();
        let [name, _, uid, gid, _, home, shell] = fields.as_slice() else {
            return None;
        };
        Some(Self {
            name: (*name).to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: home.into(),
            shell: shell.into(),
        })
    }
}

/// Whether there is a group of this name.
///
/// # Errors
/// When the name services can't be asked.
pub fn group_exists(name: &str) -> Result<bool, SshdError> {
    let entry = getent("group", name)?;
    Ok(entry.is_some_and(|line| line.split(':').next() == Some(name)))
}

fn getent(database: &str, key: &str) -> Result<Option<String>, SshdError> {
    // Not behind `--`, which the getent of musl takes for a key.
    if key.starts_with('-') {
        return Ok(None);
    }
    let mut command = Command::new("getent");
    command.args([database, key]);
    let done = finish(&mut command, TOOL_LIMIT)?;
    match done.status.code() {
        Some(0) => Ok(done.stdout.lines().next().map(str::to_owned)),
        Some(GETENT_NOT_FOUND) => Ok(None),
        _ => Err(SshdError::Failed {
            what: "getent",
            said: done.said(),
        }),
    }
}

/// What getent(1) ends with when nothing has the key.
const GETENT_NOT_FOUND: i32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_name_and_by_number() {
        let root = Account::find("root").unwrap().unwrap();
        assert_eq!(
            (root.uid, root.gid, root.home.as_path()),
            (0, 0, Path::new("/root"))
        );
        assert_eq!(Account::by_uid(0).unwrap().unwrap().name, "root");
        assert_eq!(
            root.groups().unwrap().first().map(String::as_str),
            Some("root")
        );
        assert!(Account::local().unwrap().contains(&root));
    }

    #[test]
    fn a_name_is_never_taken_for_a_number_or_an_option() {
        for name in ["0", "--help", "keyroster-nobody-has-this-name"] {
            assert_eq!(Account::find(name).unwrap(), None, "{name}");
        }
    }

    #[test]
    fn groups_are_known_by_name_only() {
        assert!(group_exists("root").unwrap());
        assert!(!group_exists("0").unwrap());
        assert!(!group_exists("keyroster-no-such-group").unwrap());
    }
}
