//! The command line, which is sshd's template with its tokens filled in.
//!
//! Every value stands behind an `=` in its own argument, because a key id or an account may begin with `-`. Names must be
//! complete and stand there once: a template with a mistake in it must answer nothing, not something.
//!
//! Values are bytes until here. Key, key type and fingerprint come from sshd's own encoder, so anything but printable ASCII in them is a
//! mistake in the template. The account comes from a stranger: whatever it holds, there is an answer.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use keyroster_wire::{FINGERPRINT_MAX, KEY_BASE64_MAX, KEY_TYPE_MAX};

use crate::asked::{Account, Asked, Chained, Key, Noted, Verb};
use crate::config;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
keyroster-lookup: the key command that sshd runs

usage in sshd_config:
  AuthorizedPrincipalsCommand /usr/lib/keyroster/keyroster-lookup principals --user=%u --uid=%U --type=%t --key=%k \
--fingerprint=%f --key-id=%i --serial=%s --ca-fingerprint=%F --ca-type=%T --ca-key=%K
  AuthorizedKeysCommand /usr/lib/keyroster/keyroster-lookup keys --user=%u --uid=%U --type=%t --key=%k --fingerprint=%f

also: --connection=%C (OpenSSH 9.4 and later), --config=PATH, --chained=yes, --version, --help

exit: 0 with lines: found; 0 without: an authoritative no; anything else: undecided
With --chained=yes, behind another provider's lines, undecided is 0 without lines too: sshd would discard the others' otherwise
";

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
    /// Answer.
    Answer(Box<Asked>),
}

/// Reads the arguments, the program's name first.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Invocation, UsageError> {
    let mut arguments = arguments.into_iter().skip(1);
    let verb = arguments.next().ok_or(UsageError::NoVerb)?;
    let verb = match verb.as_bytes() {
        b"keys" => Verb::Keys,
        b"principals" => Verb::Principals,
        b"--help" => return Ok(Invocation::Help),
        b"--version" => return Ok(Invocation::Version),
        _ => return Err(UsageError::UnknownVerb),
    };
    let mut values = Values::default();
    for argument in arguments {
        values.take(verb, &argument)?;
    }
    values
        .finish(verb)
        .map(|asked| Invocation::Answer(Box::new(asked)))
}

/// The value of each argument, by its place in [`NAMES`].
#[derive(Default)]
struct Values([Option<Vec<u8>>; NAMES.len()]);

/// Every argument there is. Those from [`PRINCIPALS_ONLY`] on belong to `principals`.
const NAMES: [&str; 13] = [
    "--user",
    "--uid",
    "--type",
    "--key",
    "--fingerprint",
    "--connection",
    "--config",
    "--chained",
    "--key-id",
    "--serial",
    "--ca-fingerprint",
    "--ca-type",
    "--ca-key",
];

/// Index in [`NAMES`] of the first argument that only `principals` has.
const PRINCIPALS_ONLY: usize = 8;

impl Values {
    fn take(&mut self, verb: Verb, argument: &OsStr) -> Result<(), UsageError> {
        let bytes = argument.as_bytes();
        let equals = bytes
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or(UsageError::UnknownArgument)?;
        let (name, value) = bytes
            .split_at_checked(equals)
            .ok_or(UsageError::UnknownArgument)?;
        let known = match verb {
            Verb::Keys => PRINCIPALS_ONLY,
            Verb::Principals => NAMES.len(),
        };
        let (name, slot) = NAMES
            .iter()
            .zip(&mut self.0)
            .take(known)
            .find(|(known, _)| known.as_bytes() == name)
            .ok_or(UsageError::UnknownArgument)?;
        let value = value.get(1..).unwrap_or_default().to_vec();
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(UsageError::Twice(name)),
        }
    }

    fn finish(self, verb: Verb) -> Result<Asked, UsageError> {
        let [
            user,
            uid,
            key_type,
            key,
            fingerprint,
            connection,
            config,
            chained,
            key_id,
            serial,
            ca_fingerprint,
            _,
            _,
        ] = self.0;
        let uid = required(uid, "--uid")?;
        let uid = str::from_utf8(&uid)
            .ok()
            .and_then(number)
            .ok_or(UsageError::Malformed("--uid"))?;
        let key = required(key, "--key")?;
        let key = if key.len() > KEY_BASE64_MAX {
            Key::TooLong
        } else {
            Key::Fits(token(key, KEY_BASE64_MAX, "--key")?)
        };
        Ok(Asked {
            verb,
            account: Account::parse(required(user, "--user")?),
            uid,
            key_type: token(required(key_type, "--type")?, KEY_TYPE_MAX, "--type")?,
            key,
            fingerprint: token(
                required(fingerprint, "--fingerprint")?,
                FINGERPRINT_MAX,
                "--fingerprint",
            )?,
            noted: Noted {
                connection,
                key_id,
                serial,
                ca_fingerprint,
            },
            chained: match chained.as_deref() {
                None => Chained::Alone,
                Some(b"yes") => Chained::Behind,
                Some(_) => return Err(UsageError::Malformed("--chained")),
            },
            config: config.map_or_else(
                || config::DEFAULT_PATH.into(),
                |path| OsString::from_vec(path).into(),
            ),
        })
    }
}

fn required(value: Option<Vec<u8>>, name: &'static str) -> Result<Vec<u8>, UsageError> {
    value.ok_or(UsageError::Missing(name))
}

/// Decimal digits alone; `parse` would take a sign too.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

fn token(value: Vec<u8>, max: usize, name: &'static str) -> Result<String, UsageError> {
    let fits = (1..=max).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    let text = if fits {
        String::from_utf8(value).ok()
    } else {
        None
    };
    text.ok_or(UsageError::Malformed(name))
}

/// Why the arguments are not the ones this program takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UsageError {
    NoVerb,
    UnknownVerb,
    UnknownArgument,
    Twice(&'static str),
    Missing(&'static str),
    Malformed(&'static str),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVerb => f.write_str("no verb, neither `keys` nor `principals`"),
            Self::UnknownVerb => f.write_str("the verb is neither `keys` nor `principals`"),
            Self::UnknownArgument => {
                f.write_str("an argument is not one that the verb takes as `--name=value`")
            }
            Self::Twice(name) => write!(f, "`{name}` is given twice"),
            Self::Missing(name) => write!(f, "`{name}` is missing"),
            Self::Malformed(name) => write!(f, "the value of `{name}` is not what sshd passes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = [
        "keys",
        "--user=deploy",
        "--uid=1000",
        "--type=ssh-ed25519",
        "--key=AAAA",
        "--fingerprint=SHA256:x",
    ];

    fn read(arguments: &[&str]) -> Result<Invocation, UsageError> {
        parse(
            ["keyroster-lookup"]
                .iter()
                .chain(arguments)
                .map(OsString::from),
        )
    }

    fn asked(arguments: &[&str]) -> Asked {
        match read(arguments) {
            Ok(Invocation::Answer(asked)) => *asked,
            other => panic!("{arguments:?} gave {other:?}"),
        }
    }

    #[test]
    fn the_template_of_the_key_command_is_read() {
        let asked = asked(&KEYS);
        assert_eq!((asked.verb, asked.uid), (Verb::Keys, 1000));
        assert_eq!(asked.account, Account::Named("deploy".to_owned()));
        assert_eq!(asked.key, Key::Fits("AAAA".to_owned()));
        assert_eq!(
            (asked.key_type.as_str(), asked.fingerprint.as_str()),
            ("ssh-ed25519", "SHA256:x")
        );
        assert_eq!(asked.config, std::path::Path::new(config::DEFAULT_PATH));
    }

    #[test]
    fn the_template_of_the_principals_command_is_read() {
        let mut arguments = KEYS.to_vec();
        arguments[0] = "principals";
        arguments.extend([
            "--key-id=--user=root $(id)",
            "--serial=7",
            "--ca-fingerprint=SHA256:y",
            "--ca-type=t",
        ]);
        arguments.extend(["--ca-key=BBBB", "--connection=1 2 3 4", "--config=/x"]);
        let asked = asked(&arguments);
        assert_eq!(asked.verb, Verb::Principals);
        assert_eq!(
            asked.noted.key_id.as_deref(),
            Some(b"--user=root $(id)".as_slice())
        );
        assert_eq!(asked.config, std::path::Path::new("/x"));
    }

    #[test]
    fn each_of_the_five_arguments_that_decide_must_be_there() {
        for missing in 1..KEYS.len() {
            let mut arguments = KEYS.to_vec();
            let (name, _) = arguments.remove(missing).split_once('=').unwrap();
            assert_eq!(
                read(&arguments),
                Err(UsageError::Missing(NAMES[missing - 1])),
                "{name}"
            );
        }
    }

    #[test]
    fn an_argument_given_twice_unknown_or_without_a_value_is_refused() {
        for (extra, refusal) in [
            ("--user=root", UsageError::Twice("--user")),
            ("--shell=/bin/sh", UsageError::UnknownArgument),
            ("--use=root", UsageError::UnknownArgument),
            ("--config", UsageError::UnknownArgument),
            ("root", UsageError::UnknownArgument),
            ("--key-id=x", UsageError::UnknownArgument),
            ("--chained=no", UsageError::Malformed("--chained")),
        ] {
            let mut arguments = KEYS.to_vec();
            arguments.push(extra);
            assert_eq!(read(&arguments), Err(refusal), "{extra}");
        }
        assert_eq!(read(&[]), Err(UsageError::NoVerb));
        assert_eq!(read(&["key"]), Err(UsageError::UnknownVerb));
    }

    #[test]
    fn what_sshd_never_passes_is_malformed() {
        for (place, value) in [
            (2, "--uid="),
            (2, "--uid=+1"),
            (2, "--uid=-1"),
            (2, "--uid=4294967296"),
            (2, "--uid=0x0"),
            (3, "--type=ssh ed25519"),
            (4, "--key="),
            (4, "--key=AA\nAA"),
            (5, "--fingerprint=\u{fc}"),
        ] {
            let mut arguments = KEYS.to_vec();
            arguments[place] = value;
            assert_eq!(
                read(&arguments),
                Err(UsageError::Malformed(NAMES[place - 1])),
                "{value:?}"
            );
        }
    }

    #[test]
    fn an_account_is_whatever_stands_behind_the_first_equals_sign() {
        for account in [
            "-h",
            "--user=root",
            "../../etc/x",
            "a%2fb",
            "DOM\\bob",
            "%s%n",
            "a=b",
            "root\u{202e}",
        ] {
            let mut arguments = KEYS.to_vec();
            let argument = format!("--user={account}");
            arguments[1] = &argument;
            assert_eq!(
                asked(&arguments).account,
                Account::Named(account.to_owned())
            );
        }
    }

    #[test]
    fn a_key_over_the_cap_is_known_as_such() {
        let long = format!("--key={}", "A".repeat(KEY_BASE64_MAX + 1));
        let mut arguments = KEYS.to_vec();
        arguments[4] = &long;
        assert_eq!(asked(&arguments).key, Key::TooLong);
    }

    #[test]
    fn help_and_version_are_asked_for_by_the_first_argument_alone() {
        assert_eq!(read(&["--help"]), Ok(Invocation::Help));
        assert_eq!(read(&["--version"]), Ok(Invocation::Version));
        assert_eq!(read(&["keys", "--help"]), Err(UsageError::UnknownArgument));
    }
}
