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
            "root:x:0:0::/root:/bin/sh\nkeyroster-agent:x:990:990::/:/bin/false\nbroken:x\n";
        assert_eq!(find(passwd, "keyroster-agent"), Some(990));
        for name in ["keyroster", "", "broken", "keyroster-agent:x"] {
            assert_eq!(find(passwd, name), None, "{name}");
        }
    }
}
