//! Whether an account is there when nothing else is.
//!
//! Accounts of a directory are unknown to the host while the directory is down, and that may be the very day. So a
//! break-glass account is one of `/etc/passwd`, whatever the name service says now.

use keyroster_keys::AccountName;

/// A local account, as its line in `/etc/passwd` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAccount {
    /// Its number.
    pub uid: u32,
    /// The program that its logins run.
    pub shell: String,
}

impl LocalAccount {
    /// Finds the account in a text in the format of /etc/passwd.
    #[must_use]
    pub fn find(passwd: &str, name: &AccountName) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next() != Some(name.as_str()) {
                return None;
            }
            let uid = fields.nth(1)?.parse().ok()?;
            let shell = fields.nth(3)?.to_owned();
            Some(Self { uid, shell })
        })
    }

    /// Whether its shell sends everybody away.
    #[must_use]
    pub fn sends_away(&self) -> bool {
        let program = self.shell.rsplit('/').next().unwrap_or_default();
        ["nologin", "false"].contains(&program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\ndeploy:x:1000:1000::/home/deploy:/usr/sbin/nologin\nbroken:x\n";

    fn find(name: &str) -> Option<LocalAccount> {
        LocalAccount::find(PASSWD, &AccountName::parse(name).unwrap())
    }

    #[test]
    fn an_account_is_found_by_its_whole_name_with_number_and_shell() {
        let root = find("root").unwrap();
        assert_eq!((root.uid, root.sends_away()), (0, false));
        let deploy = find("deploy").unwrap();
        assert_eq!((deploy.uid, deploy.sends_away()), (1000, true));
        for name in ["roo", "broken", "alice"] {
            assert_eq!(find(name), None, "{name}");
        }
    }
}
