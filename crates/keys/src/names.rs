//! Names that reach a line, a path, a URL or a log.
//!
//! Each is a type of its own with an allow-list, parsed at the door: inner code never sees an unchecked name, and a
//! function that takes an [`AccountName`] can't be handed a [`UserName`]. No case folding and no trimming: a name that
//! needs mending is refused, so that two spellings never mean one thing.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Why a text is no name. Tell the person which rule it broke; the text itself is not repeated, for it may be anything.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing was given.
    #[error("{kind} is empty")]
    Empty {
        /// What was to be named.
        kind: &'static str,
    },
    /// Longer than its limit.
    #[error("{kind} is longer than {limit} bytes")]
    TooLong {
        /// What was to be named.
        kind: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// A character that its allow-list lacks, or one in a place where it may not stand.
    #[error("{kind} has a character that is not allowed at byte {position}: {rule}")]
    Character {
        /// What was to be named.
        kind: &'static str,
        /// Where the character stands, in bytes from 0.
        position: usize,
        /// The allow-list in words.
        rule: &'static str,
    },
    /// Only digits: an account name that could be taken for a uid.
    #[error("{kind} consists of digits only and could be taken for a number")]
    OnlyDigits {
        /// What was to be named.
        kind: &'static str,
    },
}

/// The rule of one kind of name.
struct Rule {
    kind: &'static str,
    limit: usize,
    words: &'static str,
    first: fn(u8) -> bool,
    rest: fn(u8) -> bool,
}

impl Rule {
    fn check(&self, text: &str) -> Result<(), NameError> {
        let kind = self.kind;
        if text.is_empty() {
            return Err(NameError::Empty { kind });
        }
        if text.len() > self.limit {
            return Err(NameError::TooLong {
                kind,
                limit: self.limit,
            });
        }
        let allowed = |(position, byte): (usize, u8)| {
            if position == 0 {
                (self.first)(byte)
            } else {
                (self.rest)(byte)
            }
        };
        match text.bytes().enumerate().find(|&at| !allowed(at)) {
            None => Ok(()),
            Some((position, _)) => Err(NameError::Character {
                kind,
                position,
                rule: self.words,
            }),
        }
    }
}

macro_rules! name_type {
    ($(#[$docs:meta])* $name:ident, $check:path) => {
        $(#[$docs])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks a text against the allow-list.
            ///
            /// # Errors
            /// When the text breaks a rule; the error says which, and never repeats the text.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                $check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

name_type! {
    /// A Unix account on a host that a login is asked for.
    AccountName, check_account
}

name_type! {
    /// A person or a service identity that owns keys.
    UserName, check_user
}

name_type! {
    /// An enrolled machine: a host name of RFC 1123 in lower case.
    HostName, check_host
}

name_type! {
    /// A group of users, or of hosts.
    GroupName, check_group
}

impl AccountName {
    /// The account of uid 0.
    #[must_use]
    pub fn root() -> Self {
        Self("root".to_owned())
    }

    /// Whether this is the account of uid 0.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0 == "root"
    }
}

fn check_account(text: &str) -> Result<(), NameError> {
    ACCOUNT.check(text)?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NameError::OnlyDigits { kind: ACCOUNT.kind });
    }
    Ok(())
}

fn check_user(text: &str) -> Result<(), NameError> {
    USER.check(text)
}

fn check_group(text: &str) -> Result<(), NameError> {
    GROUP.check(text)
}

fn check_host(text: &str) -> Result<(), NameError> {
    HOST.check(text)?;
    let mut start = 0;
    for label in text.split('.') {
        let at = |position| NameError::Character {
            kind: HOST.kind,
            position,
            rule: HOST.words,
        };
        if label.is_empty() || label.starts_with('-') {
            return Err(at(start));
        }
        if label.ends_with('-') {
            return Err(at(start + label.len() - 1));
        }
        if label.len() > MAX_LABEL_BYTES {
            return Err(NameError::TooLong {
                kind: "label of a host name",
                limit: MAX_LABEL_BYTES,
            });
        }
        start += label.len() + 1;
    }
    Ok(())
}

const fn lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Bytes of an account name: `LOGIN_NAME_MAX` of Linux less its terminating NUL.
pub const MAX_ACCOUNT_BYTES: usize = 255;
/// Bytes of a user name.
pub const MAX_USER_BYTES: usize = 64;
/// Bytes of a group name.
pub const MAX_GROUP_BYTES: usize = 64;
/// Bytes of a host name, from RFC 1035.
pub const MAX_HOST_BYTES: usize = 253;
/// Bytes of one label of a host name, from RFC 1035.
pub const MAX_LABEL_BYTES: usize = 63;

const ACCOUNT: Rule = Rule {
    kind: "account name",
    limit: MAX_ACCOUNT_BYTES,
    words: "letters, digits and '_', then also '.', '@' and '-'",
    first: |byte| byte.is_ascii_alphanumeric() || byte == b'_',
    rest: |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@' | b'-'),
};

const USER: Rule = Rule {
    kind: "user name",
    limit: MAX_USER_BYTES,
    words: "lower-case letters and digits, then also '.', '_', '@' and '-'",
    first: lower,
    rest: |byte| lower(byte) || matches!(byte, b'.' | b'_' | b'@' | b'-'),
};

const GROUP: Rule = Rule {
    kind: "group name",
    limit: MAX_GROUP_BYTES,
    words: "lower-case letters and digits, then also '.', '_' and '-'",
    first: lower,
    rest: |byte| lower(byte) || matches!(byte, b'.' | b'_' | b'-'),
};

const HOST: Rule = Rule {
    kind: "host name",
    limit: MAX_HOST_BYTES,
    words: "labels of lower-case letters, digits and inner '-', with '.' between them",
    first: lower,
    rest: |byte| lower(byte) || matches!(byte, b'.' | b'-'),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_names_of_real_systems_are_taken() {
        let longest = "a".repeat(255);
        for text in [
            "root",
            "deploy",
            "_apt",
            "www-data",
            "Administrator",
            "j.doe@corp",
            "7zip",
            longest.as_str(),
        ] {
            assert_eq!(AccountName::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn account_names_that_could_become_an_option_a_path_or_a_format_are_refused() {
        let too_long = "a".repeat(256);
        for text in [
            "-h",
            "--user=root",
            "../../etc/x",
            "a%2fb",
            "DOM\\bob",
            "%s%n",
            "a/b",
            "a b",
            "a\n",
            "a\0",
            "",
            ".hidden",
            "@x",
            "1000",
            "0",
            "café",
            "a:b",
            "a,b",
            "a#b",
            "a\"b",
            too_long.as_str(),
        ] {
            assert!(AccountName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_the_account_root_is_root() {
        assert!(AccountName::root().is_root());
        assert!(!AccountName::parse("Root").unwrap().is_root());
        assert!(!AccountName::parse("toor").unwrap().is_root());
    }

    #[test]
    fn user_and_group_names_are_lower_case() {
        assert!(UserName::parse("alice@example.com").is_ok());
        assert!(UserName::parse("Alice").is_err());
        assert!(UserName::parse("-alice").is_err());
        assert!(UserName::parse(&"a".repeat(65)).is_err());
        assert!(GroupName::parse("web-servers_1.eu").is_ok());
        assert!(GroupName::parse("web@eu").is_err());
        assert!(GroupName::parse("").is_err());
    }

    #[test]
    fn host_names_follow_rfc_1123() {
        for text in [
            "web-1",
            "web-1.example.com",
            "10.0.0.1",
            "a",
            "xn--bcher-kva.example",
        ] {
            assert!(HostName::parse(text).is_ok(), "{text}");
        }
        let long_label = "a".repeat(64);
        let long_name = ["a".repeat(63).as_str(); 4].join(".");
        for text in [
            "Web-1",
            "web_1",
            "-web",
            "web-",
            "a..b",
            ".a",
            "a.",
            "a.-b",
            "a-.b",
            &long_label,
            &long_name,
        ] {
            assert!(HostName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_names_the_rule_and_never_repeats_the_text() {
        let error = AccountName::parse("bob\u{1b}[31m").unwrap_err();
        assert_eq!(
            error.to_string(),
            "account name has a character that is not allowed at byte 3: letters, digits and '_', then also '.', '@' and '-'"
        );
    }
}
