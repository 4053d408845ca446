//! What sshd asked, as the rest of the program sees it.

use std::path::PathBuf;

use keyroster_wire::ACCOUNT_MAX;

/// Which of sshd's two commands this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `AuthorizedKeysCommand`.
    Keys,
    /// `AuthorizedPrincipalsCommand`.
    Principals,
}

impl Verb {
    /// The word for the command line and the log.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Principals => "principals",
        }
    }
}

/// What sshd asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Which command.
    pub(crate) verb: Verb,
    /// The account.
    pub(crate) account: Account,
    /// The account's uid.
    pub(crate) uid: u32,
    /// The offered key's type.
    pub(crate) key_type: String,
    /// The offered key or certificate.
    pub(crate) key: Key,
    /// The offered key's fingerprint.
    pub(crate) fingerprint: String,
    /// For the log only: what sshd says of the connection and of the certificate.
    pub(crate) noted: Noted,
    /// Whether another provider's lines stand before ours.
    pub(crate) chained: Chained,
    /// The configuration file.
    pub(crate) config: PathBuf,
}

/// Whether sshd runs this program, or another provider's key command does once it has printed its own lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chained {
    /// sshd runs it.
    Alone,
    /// It runs behind another's lines, all of which sshd discards when this program's exit says "undecided".
    Behind,
}

impl Chained {
    /// The exit code to end with, for one that an answer has.
    pub(crate) const fn exit(self, code: u8) -> u8 {
        match self {
            Self::Alone => code,
            Self::Behind => crate::exit::OK,
        }
    }
}

/// The account as sshd passed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// Text that can be asked about.
    Named(String),
    /// No account anybody could have been granted: empty, too long, not UTF-8, or with control characters.
    Impossible(Vec<u8>),
}

impl Account {
    /// Reads what sshd passed.
    pub(crate) fn parse(bytes: Vec<u8>) -> Self {
        let fits =
            (1..=ACCOUNT_MAX).contains(&bytes.len()) && !bytes.iter().any(u8::is_ascii_control);
        if !fits {
            return Self::Impossible(bytes);
        }
        String::from_utf8(bytes).map_or_else(|err| Self::Impossible(err.into_bytes()), Self::Named)
    }

    /// The bytes as they came, for the log.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Named(text) => text.as_bytes(),
            Self::Impossible(bytes) => bytes,
        }
    }
}

/// The offered key or certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Its base64.
    Fits(String),
    /// Longer than any key that can be granted.
    TooLong,
}

/// Values that are logged and decide nothing. The certificate itself is the offered key: its facts are read from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    /// `%C`: both ends of the connection.
    pub(crate) connection: Option<Vec<u8>>,
    /// `%i`: the certificate's key id, which its owner may have chosen.
    pub(crate) key_id: Option<Vec<u8>>,
    /// `%s`: the certificate's serial.
    pub(crate) serial: Option<Vec<u8>>,
    /// `%F`: the CA's fingerprint.
    pub(crate) ca_fingerprint: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_nobody_can_be_granted_is_known_as_such() {
        let longest = "a".repeat(ACCOUNT_MAX);
        assert_eq!(
            Account::parse(longest.clone().into_bytes()),
            Account::Named(longest.clone())
        );
        for bytes in [
            b"".to_vec(),
            format!("{longest}a").into_bytes(),
            vec![0xff],
            b"a\nb".to_vec(),
            b"a\x7f".to_vec(),
        ] {
            assert_eq!(Account::parse(bytes.clone()), Account::Impossible(bytes));
        }
    }
}
