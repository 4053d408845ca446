//! The number of a local user.
//!
//! `/etc/passwd` is read as text. The C library would ask whatever directory the host is configured for, and that may be what is down.

use std::fs;
use std::path::Path;

use crate::args::UserRef;
use crate::error::Error;

/// The user's number.
pub(crate) fn uid_of(user: &UserRef) -> Result<u32, Error> {
    match user {
        UserRef::Uid(uid) => Ok(*uid),
        UserRef::Name(name) => {
            let path = Path::new(PASSWD);
            let text = fs::read_to_string(path).map_err(|err| Error::io(path, err))?;
            find(&text, name).ok_or_else(|| Error::NoSuchUser(name.clone()))
        }
    }
}

/// The number of the user's own group.
pub(crate) fn gid_of(user: &UserRef) -> Result<u32, Error> {
    let path = Path::new(PASSWD);
    let text = fs::read_to_string(path).map_err(|err| Error::io(path, err))?;
    let group = match user {
        UserRef::Uid(uid) => group_of(&text, 2, &uid.to_string()),
        UserRef::Name(name) => group_of(&text, 0, name),
    };
    let name = || match user {
        UserRef::Uid(uid) => uid.to_string(),
        UserRef::Name(name) => name.clone(),
    };
    group.ok_or_else(|| Error::NoSuchUser(name()))
}

/// The group in the line whose field at this place is this value.
fn group_of(passwd: &str, place: usize, value: &str) -> Option<u32> {
    let of_user = |line: &&str| line.split(':').nth(place) == Some(value);
    let line = passwd.lines().find(of_user)?;
    line.split(':').nth(3)?.parse().ok()
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

const PASSWD: &str = "/etc/passwd";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name_only() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\nkeyroster-agent:x:990:991::/:/bin/false\nbroken:x\n";
        assert_eq!(find(passwd, "keyroster-agent"), Some(990));
        for name in ["keyroster", "", "broken", "keyroster-agent:x"] {
            assert_eq!(find(passwd, name), None, "{name}");
        }
        assert_eq!(group_of(passwd, 0, "keyroster-agent"), Some(991));
        assert_eq!(group_of(passwd, 2, "990"), Some(991));
        assert_eq!(group_of(passwd, 2, "99"), None);
    }
}
