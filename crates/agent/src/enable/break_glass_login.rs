//! Whether somebody holds the private half of a break-glass key: a login with it, as a drill makes one, or a drill of late.
//!
//! That sshd would take a file's keys can be looked up; that one of them is not at the bottom of a river can't. A key that is
//! at hand and stands in a file is tried, and must work: whoever brings it wants to know.

use std::collections::BTreeMap;
use std::path::PathBuf;

use keyroster_keys::AccountName;
use keyroster_sshd::trial::Identity;

use crate::break_glass::check::Checked;
use crate::break_glass::drill::DrillError;
use crate::break_glass::drill::login::{NOT_SEEN, Seen, Stage, sessions_dir};
use crate::break_glass::past_drills::{self, PastDrill, Proof};
use crate::enable::args::EnableArgs;
use crate::enable::error::{EnableError, Unmet};
use crate::enable::keys_at_hand::{self, KeyAtHand};
use crate::enable::prove::{Stake, Task};
use crate::enable::trial_login::ssh_agent;
use crate::program::{say, warn};

/// What can be shown of the private halves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Means<'a> {
    /// A key of this file is at hand.
    LogIn(&'a Checked, Vec<Identity>),
    /// A key of this account's file logged in so many days ago.
    Drilled {
        /// The account.
        account: &'a AccountName,
        /// The key: `SHA256:…`.
        key: &'a str,
        /// Days since then.
        days: i64,
    },
    /// Nothing.
    Nothing,
}

/// The keys at hand that may stand in a break-glass file: those that were named, and those of the ssh-agent where something would change.
///
/// # Errors
/// When one that was named can't be used.
pub fn keys(args: &EnableArgs, stake: Stake) -> Result<Vec<KeyAtHand>, EnableError> {
    let named = args.break_glass_key.iter();
    let named = named.map(|path| keys_at_hand::in_file(path));
    let mut keys = named.collect::<Result<Vec<_>, _>>()?;
    if let (Some(socket), Stake::Change) = (ssh_agent(), stake) {
        // One that does not answer holds nothing for us; that it is needed says the trial login.
        keys.extend(keys_at_hand::in_agent(&socket).unwrap_or_default());
    }
    Ok(keys)
}

/// What can be shown, by these files that sshd would read.
pub fn means<'a>(
    files: &'a [Checked],
    keys: &[KeyAtHand],
    drills: &'a BTreeMap<String, PastDrill>,
    now_s: i64,
) -> Means<'a> {
    let held = files.iter().find_map(|checked| {
        let in_file = |key: &&KeyAtHand| stands_in(checked, &key.fingerprint().to_string());
        let identities = keys.iter().filter(in_file).map(|key| key.identity.clone());
        let identities: Vec<Identity> = identities.collect();
        (!identities.is_empty()).then_some(Means::LogIn(checked, identities))
    });
    let drilled = || {
        files.iter().find_map(|checked| {
            let drill = drills.get(checked.account.as_str())?;
            let key = drill.key.as_deref().filter(|key| stands_in(checked, key))?;
            let days = drill.days_ago(now_s);
            let counts = drill.proof == Proof::Login && drill.counts_at(now_s);
            counts.then_some(Means::Drilled {
                account: &checked.account,
                key,
                days,
            })
        })
    };
    held.or_else(drilled).unwrap_or(Means::Nothing)
}

fn stands_in(checked: &Checked, fingerprint: &str) -> bool {
    let mut entries = checked.keys.iter();
    entries.any(|entry| entry.fingerprint.to_string() == fingerprint)
}

/// Shows it, and says what is proven and what is not.
///
/// # Errors
/// When a key that stands in a file does not log in, or one that was named stands in none.
pub fn show(
    task: &Task<'_>,
    files: &[Checked],
    stake: Stake,
    now_s: i64,
) -> Result<(), EnableError> {
    let keys = keys(task.args, stake)?;
    all_stand_in(&task.args.break_glass_key, &keys, files)?;
    // A record that can't be read proves nothing, and hides nothing that is asked for here.
    let drills = past_drills::read(&task.places.state).unwrap_or_default();
    match means(files, &keys, &drills, now_s) {
        Means::LogIn(checked, identities) => log_in(task, checked, &identities, now_s),
        Means::Drilled { account, key, days } => {
            say(&format!(
                "proven: somebody holds a private half: a drill of {days} days ago logged in to \"{account}\" with {key}"
            ));
            Ok(())
        }
        Means::Nothing => {
            say(match files.is_empty() {
                true => NO_FILE,
                false => NOBODY_TRIED,
            });
            Ok(())
        }
    }
}

fn all_stand_in(
    named: &[PathBuf],
    keys: &[KeyAtHand],
    files: &[Checked],
) -> Result<(), EnableError> {
    for (path, key) in named.iter().zip(keys) {
        let fingerprint = key.fingerprint().to_string();
        if !files.iter().any(|checked| stands_in(checked, &fingerprint)) {
            return Err(EnableError::Unmet(Unmet::new(
                format!(
                    "the key {fingerprint} in \"{}\" stands in no break-glass file that sshd would read",
                    path.display()
                ),
                "`keyroster-agent break-glass list` shows the keys that do",
            )));
        }
    }
    Ok(())
}

fn log_in(
    task: &Task<'_>,
    checked: &Checked,
    identities: &[Identity],
    now_s: i64,
) -> Result<(), EnableError> {
    let account = &checked.account;
    say(&format!(
        "trying a break-glass key of \"{account}\"; touch the security key if it asks for it"
    ));
    let stage = Stage {
        sshd: &task.places.sshd,
        drop_in: &task.places.drop_in,
        text: Some(task.text.as_bytes()),
        sessions: sessions_dir(task.config),
    };
    let login = match stage.log_in(checked, identities) {
        Ok(login) => login,
        Err(err) if task.args.without_break_glass => {
            warn(&format!(
                "the break-glass way in does not work, and is not asked for: {err}"
            ));
            return Ok(());
        }
        Err(err) => return Err(refused(&err)),
    };
    say(&format!(
        "proven: a login to \"{account}\" with the break-glass key {}, by \"{}\" alone, while no key command knows anybody",
        login.key,
        checked.path.display()
    ));
    if login.seen == Seen::ByNobody {
        warn(NOT_SEEN);
    }
    if !task.args.dry_run {
        remember(task, account, login.key, now_s);
    }
    Ok(())
}

/// It was a drill, and counts as one.
fn remember(task: &Task<'_>, account: &AccountName, key: String, at_s: i64) {
    let drill = PastDrill {
        at_s,
        proof: Proof::Login,
        key: Some(key),
    };
    if let Err(err) = past_drills::note(&task.places.state, &[(account.clone(), drill)]) {
        warn(&format!("the login is not remembered as a drill: {err}"));
    }
}

fn refused(err: &DrillError) -> EnableError {
    EnableError::Unmet(Unmet::new(
        format!("the break-glass way in does not work: {err}"),
        err.hint().unwrap_or_else(|| {
            "`keyroster-agent break-glass list` shows what is wrong with its file".to_owned()
        }),
    ))
}

const NOBODY_TRIED: &str = "not proven: that somebody holds a private half of them; `--break-glass-key FILE`, one of them in your ssh-agent, \
     or `keyroster-agent break-glass drill` shows it";
const NO_FILE: &str = "not proven: that somebody holds a private half of them; they are no break-glass keys, and go when home directories do: \
     `keyroster-agent break-glass add`";

#[cfg(test)]
mod tests {
    use keyroster_keys::KeyBlob;

    use super::*;
    use crate::break_glass::keys::Entry;

    fn blob(last: &str) -> KeyBlob {
        let body =
            format!("AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR{last}");
        KeyBlob::parse("ssh-ed25519", &body).unwrap()
    }

    fn file(account: &str, keys: &[&str]) -> Checked {
        let entry = |last: &&str| Entry {
            line: 1,
            fingerprint: *blob(last).fingerprint(),
            algorithm: blob(last).algorithm(),
            label: String::new(),
            limits: Vec::new(),
            ends: crate::break_glass::keys::Ends::default(),
        };
        Checked {
            account: AccountName::parse(account).unwrap(),
            path: PathBuf::from(account),
            keys: keys.iter().map(entry).collect(),
            faults: Vec::new(),
        }
    }

    fn at_hand(last: &str) -> KeyAtHand {
        KeyAtHand {
            blob: blob(last),
            identity: Identity::File(last.into()),
        }
    }

    fn drilled(
        account: &str,
        key: &str,
        proof: Proof,
        days_ago: i64,
    ) -> BTreeMap<String, PastDrill> {
        let drill = PastDrill {
            at_s: NOW_S - days_ago * 86_400,
            proof,
            key: Some(blob(key).fingerprint().to_string()),
        };
        BTreeMap::from([(account.to_owned(), drill)])
    }

    const NOW_S: i64 = 1_000 * 86_400;

    #[test]
    fn a_key_at_hand_that_stands_in_a_file_is_tried_and_goes_before_any_drill() {
        let files = [file("root", &["4e"]), file("deploy", &["4e", "4f"])];
        let drills = drilled("root", "4e", Proof::Login, 1);
        let found = means(&files, &[at_hand("4d"), at_hand("4f")], &drills, NOW_S);
        assert_eq!(
            found,
            Means::LogIn(&files[1], vec![Identity::File("4f".into())])
        );
        assert!(matches!(
            means(&files, &[at_hand("4d")], &drills, NOW_S),
            Means::Drilled { days: 1, .. }
        ));
    }

    #[test]
    fn a_drill_counts_for_ninety_days_and_for_a_key_that_still_stands_in_the_file() {
        let files = [file("root", &["4e"])];
        let shown = |drills| means(&files, &[], &drills, NOW_S) != Means::Nothing;
        assert!(shown(drilled("root", "4e", Proof::Login, 90)));
        assert!(!shown(drilled("root", "4e", Proof::Login, 91)));
        assert!(!shown(drilled("root", "4e", Proof::Login, -1)));
        assert!(!shown(drilled("root", "4e", Proof::AllButSignature, 1)));
        assert!(!shown(drilled("root", "4f", Proof::Login, 1)));
        assert!(!shown(drilled("deploy", "4e", Proof::Login, 1)));
    }
}
