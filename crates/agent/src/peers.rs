//! Who may ask: root, the host agent's own user, and the users of the settings.

use std::collections::BTreeSet;

use rustix::process::geteuid;

use crate::config::UserRef;

/// The users that may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peers(BTreeSet<u32>);

/// Whether a peer may ask.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Admit,
    /// It may not.
    Refuse,
}

impl Peers {
    /// Resolves names by `passwd`, a text in the format of /etc/passwd; names that are not in it come back in the second
    /// part. Directories are not asked: they may be what is down.
    #[must_use]
    pub fn resolve(users: &[UserRef], passwd: &str) -> (Self, Vec<String>) {
        let mut uids = BTreeSet::from([ROOT, geteuid().as_raw()]);
        let mut unknown = Vec::new();
        for user in users {
            match user {
                UserRef::Uid(uid) => drop(uids.insert(*uid)),
                UserRef::Name(name) => match find(passwd, name) {
                    Some(uid) => drop(uids.insert(uid)),
                    None => unknown.push(name.clone()),
                },
            }
        }
        (Self(uids), unknown)
    }

    /// Whether the user of this number may ask.
    pub fn admit(&self, uid: u32) -> Admission {
        if self.0.contains(&uid) {
            Admission::Admit
        } else {
            Admission::Refuse
        }
    }
}

fn find(passwd: &str, name: &str) -> Option<u32> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        fields.nth(1)?.parse().ok()
    })
}

/// Where local users are.
pub const PASSWD: &str = "/etc/passwd";

const ROOT: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD_TEXT: &str =
        "root:x:0:0::/root:/bin/sh\nkeyroster-lookup:x:990:990::/:/bin/false\nbroken:x\n";

    #[test]
    fn those_of_the_settings_root_and_we_ourselves_may_ask_and_nobody_else() {
        let users = [
            UserRef::Name("keyroster-lookup".to_owned()),
            UserRef::Uid(4242),
        ];
        let (peers, unknown) = Peers::resolve(&users, PASSWD_TEXT);
        for uid in [0, 990, 4242, geteuid().as_raw()] {
            assert_eq!(peers.admit(uid), Admission::Admit, "{uid}");
        }
        assert_eq!(peers.admit(65_534), Admission::Refuse);
        assert!(unknown.is_empty());
    }

    #[test]
    fn a_user_that_does_not_exist_is_named_and_admits_nobody() {
        let names = ["keyroster", "keyroster-lookup:x", "broken", ""];
        let users: Vec<_> = names
            .iter()
            .map(|name| UserRef::Name((*name).to_owned()))
            .collect();
        let (peers, unknown) = Peers::resolve(&users, PASSWD_TEXT);
        assert_eq!(unknown, names);
        assert_eq!(peers.admit(990), Admission::Refuse);
    }
}
