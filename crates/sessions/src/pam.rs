//! What PAM says about a login.
//!
//! sshd puts the methods that succeeded into the PAM environment, each on a line: `publickey ssh-ed25519 AAAA…`. It does so from
//! the process that checked the signatures, right before it opens the session: this is proof, where a call of the key command
//! is only an offer. `pam_exec` hands the environment on.
//!
//! Modules that run earlier in the stack can change it, and one of them (`pam_env` with `user_readenv`) reads a file of the
//! account's own. So the line that runs this program stands before that one: docs/sessions.md.

use std::collections::BTreeMap;
use std::ffi::OsString;

use keyroster_keys::line::base64;
use keyroster_keys::line::provider::OfferedKey;
use keyroster_keys::{AccountName, Fingerprint, KeyBlob};
use thiserror::Error;

/// What happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It was opened.
    Opened(Login),
    /// It was closed.
    Closed,
    /// Something that no session follows from.
    Other,
}

/// Who logged in with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// The account, if its name is one that keyroster knows.
    pub(crate) account: Option<AccountName>,
    /// Every key that proved itself, with its blob; of a certificate its own key, and the one that signed it.
    pub(crate) keys: BTreeMap<Fingerprint, Vec<u8>>,
    /// How many keys there were that can't be read: sessions that they opened are not ended.
    pub(crate) unreadable: usize,
}

/// Why the environment is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Doubt {
    /// Somebody put a second value beside sshd's.
    #[error("{0} stands twice in the environment")]
    Twice(&'static str),
    /// Not a text.
    #[error("{0} is no text")]
    NoText(&'static str),
}

/// Reads the environment that `pam_exec` made.
pub(crate) fn read(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Event, Doubt> {
    let variables = pick(environment)?;
    match variables.get(TYPE).map(String::as_str) {
        Some("open_session") => {}
        Some("close_session") => return Ok(Event::Closed),
        _ => return Ok(Event::Other),
    }
    let account = variables
        .get(USER)
        .and_then(|name| AccountName::parse(name).ok());
    let mut login = Login {
        account,
        keys: BTreeMap::new(),
        unreadable: 0,
    };
    let methods = variables.get(METHODS).map_or("", String::as_str);
    for key in methods
        .lines()
        .filter_map(|line| line.strip_prefix("publickey "))
    {
        match keys(key) {
            Some(keys) => login.keys.extend(keys),
            None => login.unreadable += 1,
        }
    }
    Ok(Event::Opened(login))
}

/// The three variables that count.
fn pick(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<&'static str, String>, Doubt> {
    let mut picked = BTreeMap::new();
    for (name, value) in environment {
        let Some(name) = [TYPE, USER, METHODS]
            .into_iter()
            .find(|known| name == *known)
        else {
            continue;
        };
        let value = value.into_string().map_err(|_| Doubt::NoText(name))?;
        if picked.insert(name, value).is_some() {
            return Err(Doubt::Twice(name));
        }
    }
    Ok(picked)
}

/// The keys of one as sshd writes it: type, blank, body.
fn keys(text: &str) -> Option<Vec<(Fingerprint, Vec<u8>)>> {
    let (kind, body) = text.split_once(' ')?;
    let mut found = vec![key(kind, body)?];
    if KeyBlob::parse(kind, body).ok()?.is_certificate() {
        found.push(signer(kind, body)?);
    }
    Some(found)
}

/// The key that signed a certificate.
fn signer(kind: &str, body: &str) -> Option<(Fingerprint, Vec<u8>)> {
    let OfferedKey::SignedBy { base64: signer } = OfferedKey::parse(kind, body)? else {
        return None;
    };
    let bytes = base64::decode(&signer)?;
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let kind = str::from_utf8(rest.get(..length)?).ok()?;
    key(kind, &signer)
}

fn key(kind: &str, body: &str) -> Option<(Fingerprint, Vec<u8>)> {
    let blob = KeyBlob::parse(kind, body).ok()?;
    Some((*blob.fingerprint(), base64::decode(body)?))
}

const TYPE: &str = "PAM_TYPE";
const USER: &str = "PAM_USER";
const METHODS: &str = "SSH_AUTH_INFO_0";

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use keyroster_testkit::SshKey;

    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect()
    }

    fn opened(methods: &str) -> Login {
        let pairs = [
            ("PAM_TYPE", "open_session"),
            ("PAM_USER", "deploy"),
            ("SSH_AUTH_INFO_0", methods),
        ];
        match read(environment(&pairs)) {
            Ok(Event::Opened(login)) => login,
            other => panic!("{other:?}"),
        }
    }

    const ALICE: (&str, &str) = (
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIblrMfLnXm2ayl9XMZGrt14sajnxihWNdTNjwVCo8ux",
        "SHA256:gfF6zlqdGTorICuFua/rtDzQyNzC6VQ7XfmBF1Vs1+Q",
    );
    const BOB: (&str, &str) = (
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII8DiT/SlgrGHiUnNcxBFTUdnJkoFnLVVpMs00o4QCgf",
        "SHA256:2xqP20P1dOXQzTSncrYyHX9ID0/sQ15b+RfIXihtX8I",
    );

    fn texts(login: &Login) -> Vec<String> {
        login.keys.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn every_key_that_proved_itself_counts_and_other_methods_do_not() {
        let one = opened(&format!("publickey {}\n", ALICE.0));
        assert_eq!((texts(&one), one.unreadable), (vec![ALICE.1.to_owned()], 0));
        assert_eq!(one.account.unwrap().as_str(), "deploy");
        let two = opened(&format!(
            "publickey {}\npassword\npublickey {}\nhostbased {}\n",
            ALICE.0, BOB.0, ALICE.0
        ));
        let mut both = vec![ALICE.1.to_owned(), BOB.1.to_owned()];
        both.sort();
        let mut found = texts(&two);
        found.sort();
        assert_eq!(found, both);
        for methods in ["", "password\n", "keyboard-interactive/pam\n"] {
            assert!(opened(methods).keys.is_empty(), "{methods}");
        }
    }

    #[test]
    fn a_certificate_stands_for_its_own_key_and_the_one_that_signed_it() {
        let dir = tempfile::tempdir().unwrap();
        let (key, authority) = (
            SshKey::ed25519(dir.path(), "key").unwrap(),
            SshKey::ed25519(dir.path(), "authority").unwrap(),
        );
        let certified = std::process::Command::new("ssh-keygen")
            .args(["-q", "-I", "id", "-n", "deploy", "-s"])
            .args([
                authority.private_path(),
                &key.private_path().with_extension("pub"),
            ])
            .status()
            .unwrap();
        assert!(certified.success());
        let certificate = std::fs::read_to_string(dir.path().join("key-cert.pub")).unwrap();
        let words: Vec<&str> = certificate.split_whitespace().take(2).collect();
        let login = opened(&format!("publickey {}\n", words.join(" ")));
        let plain = |key: &SshKey| {
            let line = key.public_line();
            let words: Vec<&str> = line.split_whitespace().take(2).collect();
            opened(&format!("publickey {}\n", words.join(" "))).keys
        };
        let mut expected = plain(&key);
        expected.extend(plain(&authority));
        let found: Vec<_> = login.keys.keys().collect();
        assert_eq!((found, login.unreadable), (expected.keys().collect(), 0));
    }

    #[test]
    fn a_key_that_cannot_be_read_is_counted_and_hides_no_other() {
        let login = opened(&format!(
            "publickey ssh-ed25519 AAAA\npublickey x\npublickey {}\n",
            BOB.0
        ));
        assert_eq!(
            (texts(&login), login.unreadable),
            (vec![BOB.1.to_owned()], 2)
        );
    }

    #[test]
    fn an_account_that_keyroster_has_no_name_for_is_left_out() {
        for name in ["DOMAIN\\deploy", "a\nb", "../x", "1000"] {
            let pairs = [("PAM_TYPE", "open_session"), ("PAM_USER", name)];
            let Ok(Event::Opened(login)) = read(environment(&pairs)) else {
                panic!("{name}")
            };
            assert_eq!(login.account, None, "{name}");
        }
    }

    #[test]
    fn the_end_of_a_session_needs_no_key_and_anything_else_is_nothing() {
        assert_eq!(
            read(environment(&[("PAM_TYPE", "close_session")])),
            Ok(Event::Closed)
        );
        for kind in ["auth", "account", ""] {
            assert_eq!(
                read(environment(&[("PAM_TYPE", kind)])),
                Ok(Event::Other),
                "{kind}"
            );
        }
        assert_eq!(read([]), Ok(Event::Other));
    }

    #[test]
    fn an_environment_with_two_values_or_bytes_in_one_is_not_believed() {
        for name in ["PAM_TYPE", "PAM_USER", "SSH_AUTH_INFO_0"] {
            let twice = [
                ("PAM_TYPE", "open_session"),
                ("PAM_USER", "a"),
                ("SSH_AUTH_INFO_0", ""),
                (name, "b"),
            ];
            assert!(
                matches!(read(environment(&twice)), Err(Doubt::Twice(_))),
                "{name}"
            );
            let bytes = (OsString::from(name), OsString::from_vec(vec![0xff]));
            assert!(matches!(read([bytes]), Err(Doubt::NoText(_))), "{name}");
        }
    }
}
