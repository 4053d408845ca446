//! Whom to log in as before anything is changed, and with which key.
//!
//! Nobody has to name an account: what the snapshot grants is known here, and so is which keys are at hand. The first granted account that
//! one of them opens is tried. Where none can be tried nothing is changed: a proof that is left out has to be left out by name.

use std::path::PathBuf;

use keyroster_keys::AccountName;
use keyroster_sshd::trial::Identity;

use crate::enable::args::EnableArgs;
use crate::enable::error::{EnableError, Unmet};
use crate::enable::granted::Granted;
use crate::enable::keys_at_hand::{self, KeyAtHand};
use crate::enable::proof::Trial;
use crate::program::{say, warn};

/// An account with the keys to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The account.
    pub account: AccountName,
    /// The keys.
    pub identities: Vec<Identity>,
}

/// What is to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Plan {
    /// Log in; one that works is enough.
    LogIn(Vec<Attempt>),
    /// Nothing, as was asked for.
    LeaveOut,
}

/// The keys at hand for the trial login.
///
/// # Errors
/// When one that was named can't be used.
pub fn keys(args: &EnableArgs) -> Result<Vec<KeyAtHand>, EnableError> {
    if args.without_trial_login {
        return Ok(Vec::new());
    }
    keys_at_hand::find(&args.trial_key, ssh_agent().as_deref())
}

/// Where the ssh-agent of whoever runs this listens.
#[must_use]
pub fn ssh_agent() -> Option<PathBuf> {
    std::env::var_os("SSH_AUTH_SOCK")
        .filter(|socket| !socket.is_empty())
        .map(PathBuf::from)
}

/// Which logins to try.
///
/// # Errors
/// When there is none to try.
pub fn plan(
    args: &EnableArgs,
    granted: &[Granted],
    keys: &[KeyAtHand],
) -> Result<Plan, EnableError> {
    if args.without_trial_login {
        return Ok(Plan::LeaveOut);
    }
    if keys.is_empty() {
        return Err(impossible(
            "no private key is at hand for a trial login".to_owned(),
        ));
    }
    if let Some(account) = &args.trial_user {
        return Ok(Plan::LogIn(vec![asked_for(account, granted, keys)]));
    }
    let mut attempts: Vec<(&Granted, Attempt)> = granted
        .iter()
        .filter_map(|one| Some((one, attempt(one, keys)?)))
        .collect();
    // sshd has rules of its own for root.
    attempts.sort_by_key(|(granted, _)| granted.account.uid == 0);
    if attempts.is_empty() {
        return Err(impossible(format!(
            "none of the {} keys at hand is granted for an account of this host that sshd would ask keyroster about",
            keys.len()
        )));
    }
    let attempts = attempts.into_iter().map(|(_, attempt)| attempt);
    Ok(Plan::LogIn(attempts.take(MAX_ATTEMPTS).collect()))
}

fn attempt(granted: &Granted, keys: &[KeyAtHand]) -> Option<Attempt> {
    let opens = |key: &&KeyAtHand| granted.keys.contains(&key.blob);
    let identities: Vec<Identity> = keys
        .iter()
        .filter(opens)
        .map(|key| key.identity.clone())
        .collect();
    (!identities.is_empty()).then(|| Attempt {
        account: granted.name.clone(),
        identities,
    })
}

/// The account that was named: with every key at hand where the snapshot names none of them for it, so that sshd tells why.
fn asked_for(account: &AccountName, granted: &[Granted], keys: &[KeyAtHand]) -> Attempt {
    let known = granted.iter().find(|one| one.name == *account);
    known
        .and_then(|one| attempt(one, keys))
        .unwrap_or_else(|| Attempt {
            account: account.clone(),
            identities: keys.iter().map(|key| key.identity.clone()).collect(),
        })
}

/// Tries it, and says what is proven and what is not.
///
/// # Errors
/// When nobody gets in by keyroster.
pub fn run(plan: &Plan, trial: &Trial<'_>) -> Result<(), EnableError> {
    let attempts = match plan {
        Plan::LogIn(attempts) => attempts,
        Plan::LeaveOut => {
            warn(
                "NOT PROVEN, as was asked for: that sshd runs the key command, believes it, and lets a granted key in. \
                 Only a login shows that",
            );
            tracing::warn!("no trial login was made: it was asked for without");
            return Ok(());
        }
    };
    let mut first_failure = None;
    for Attempt {
        account,
        identities,
    } in attempts
    {
        match trial.login(account, identities) {
            Ok(shown) => {
                say(&format!(
                    "proven: a login to \"{account}\" on a temporary sshd, with {}, let in by keyroster",
                    shown.fingerprint
                ));
                return Ok(());
            }
            Err(EnableError::Unmet(unmet)) if first_failure.is_none() => {
                first_failure = Some(unmet)
            }
            Err(EnableError::Unmet(unmet)) => say(&format!("also: {unmet}")),
            Err(err) => return Err(err),
        }
    }
    let failure =
        first_failure.unwrap_or_else(|| Unmet::new("no login was tried", keys_at_hand::HOW));
    Err(EnableError::Unmet(failure))
}

fn impossible(what: String) -> EnableError {
    EnableError::Unmet(Unmet::new(
        what,
        format!(
            "with a key that is granted: {}; or, where nobody sits at it, `--without-trial-login`",
            keys_at_hand::HOW
        ),
    ))
}

/// Accounts that are tried until one lets in: a grant may say from where, and an account may be locked.
const MAX_ATTEMPTS: usize = 3;

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use keyroster_keys::KeyBlob;
    use keyroster_sshd::account::Account;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        enable: EnableArgs,
    }

    fn args(words: &[&str]) -> EnableArgs {
        let words = [&["enable"], words].concat();
        Line::try_parse_from(words).unwrap().enable
    }

    fn blob(last: &str) -> KeyBlob {
        let body =
            format!("AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR{last}");
        KeyBlob::parse("ssh-ed25519", &body).unwrap()
    }

    fn at_hand(last: &str) -> KeyAtHand {
        KeyAtHand {
            blob: blob(last),
            identity: Identity::File(last.into()),
        }
    }

    fn granted(name: &str, uid: u32, keys: &[&str]) -> Granted {
        Granted {
            account: Account {
                name: name.to_owned(),
                uid,
                gid: uid,
                home: "/".into(),
                shell: "/bin/sh".into(),
            },
            name: AccountName::parse(name).unwrap(),
            keys: keys.iter().map(|last| blob(last)).collect(),
        }
    }

    fn tried(plan: Plan) -> Vec<(String, Vec<PathBuf>)> {
        let Plan::LogIn(attempts) = plan else {
            return Vec::new();
        };
        let path = |identity: Identity| match identity {
            Identity::File(path) => path,
            other => panic!("{other:?}"),
        };
        attempts
            .into_iter()
            .map(|attempt| {
                let identities = attempt.identities.into_iter().map(path);
                (attempt.account.to_string(), identities.collect())
            })
            .collect()
    }

    #[test]
    fn the_granted_accounts_that_a_key_at_hand_opens_are_tried_with_that_key_alone_and_root_last() {
        let granted = [
            granted("root", 0, &["4f"]),
            granted("deploy", 1000, &["4e", "4f"]),
            granted("other", 1001, &["4e"]),
        ];
        let keys = [at_hand("4d"), at_hand("4f")];
        let found = tried(plan(&args(&[]), &granted, &keys).unwrap());
        let one = |name: &str| (name.to_owned(), vec![PathBuf::from("4f")]);
        assert_eq!(found, [one("deploy"), one("root")]);
        let found = tried(plan(&args(&["--trial-user", "root"]), &granted, &keys).unwrap());
        assert_eq!(found, [one("root")]);
        let found = tried(plan(&args(&["--trial-user", "other"]), &granted, &keys).unwrap());
        assert_eq!(
            found,
            [("other".to_owned(), vec!["4d".into(), "4f".into()])]
        );
    }

    #[test]
    fn without_a_key_or_a_grant_for_one_nothing_is_tried_unless_that_is_asked_for() {
        let granted = [granted("deploy", 1000, &["4e"])];
        for keys in [&[][..], &[at_hand("4f")]] {
            let refused = plan(&args(&[]), &granted, keys).unwrap_err();
            let hint = refused.hint().unwrap();
            for way in [
                "ssh -A",
                "--preserve-env=SSH_AUTH_SOCK",
                "--trial-key FILE",
                "--without-trial-login",
            ] {
                assert!(hint.contains(way), "{hint}");
            }
            let without = plan(&args(&["--without-trial-login"]), &granted, keys);
            assert_eq!(without.unwrap(), Plan::LeaveOut);
        }
    }

    #[test]
    fn leaving_the_login_out_does_not_go_with_naming_it() {
        for words in [["--trial-user", "deploy"], ["--trial-key", "k"]] {
            let words = [&["enable", "--without-trial-login"], &words[..]].concat();
            assert!(Line::try_parse_from(words).is_err());
        }
    }
}
