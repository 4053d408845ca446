//! `AuthorizedKeysFile`: the keys that sshd finds without asking anybody.

use std::path::Path;

use crate::doctor::facts::key_files::{Holder, Opens};
use crate::doctor::facts::sshd::{Asked, SshdFacts, names};
use crate::doctor::finding::{Finding, rules};

rules! {
    HOME_KEYS = Warning "home-keys": "keys in files other than break-glass files let people in",
        "no revocation reaches those keys, and whoever is in an account can add more to its home directory",
        Judge "move what is still needed to keyroster, then keyroster-agent enable --only-keyroster";
    KEYS_ANYWHERE = Error "keys-anywhere": "AuthorizedKeysFile names a file that is the same for all accounts",
        "one key in it opens every account of the host, root's too",
        Judge "put %u into the path, and each key into the file of its account";
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts, break_glass: &Path, holders: &[Holder]) -> Vec<Finding> {
    if facts.logins.is_empty() {
        return Vec::new();
    }
    let home = facts.those(|asked| files(asked).any(|file| !is_break_glass(file, break_glass)));
    let words = home.first().map(|first| {
        let all: Vec<&str> = files(first).collect();
        let place = facts.place(KEYWORD, &first.login);
        format!(
            "AuthorizedKeysFile is \"{}\" by {place}, for {}; {}",
            all.join(" "),
            names(&home),
            held(holders)
        )
    });
    let anywhere = facts.those(|asked| files(asked).any(is_for_all));
    let shared = anywhere.first().map(|first| {
        let place = facts.place(KEYWORD, &first.login);
        format!(
            "AuthorizedKeysFile by {place} is one file for all, for {}",
            names(&anywhere)
        )
    });
    vec![
        Finding::judge(
            &HOME_KEYS,
            words,
            "AuthorizedKeysFile is none or the break-glass path",
        )
        .about(holders.iter().map(|holder| holder.account.as_str())),
        Finding::judge(
            &KEYS_ANYWHERE,
            shared,
            "no file of keys is for all accounts",
        ),
    ]
}

/// Whose files hold a key: those that let somebody in come first.
fn held(holders: &[Holder]) -> String {
    let mut files: Vec<&Holder> = holders.iter().collect();
    files.sort_by_key(|holder| holder.opens);
    let few = files.iter().take(MAX_SHOWN).map(|holder| {
        let note = match holder.opens {
            Opens::Account => "",
            Opens::Nothing => ", which lets nobody in",
        };
        let path = holder.path.display();
        format!("\"{}\" (\"{path}\"{note})", holder.account)
    });
    let few: Vec<String> = few.collect();
    match (few.is_empty(), files.len().saturating_sub(MAX_SHOWN)) {
        (true, _) => "none of them holds a key".to_owned(),
        (false, 0) => format!("keys are held by {}", few.join(", ")),
        (false, more) => format!("keys are held by {} and {more} more", few.join(", ")),
    }
}

fn files(asked: &Asked) -> impl Iterator<Item = &str> {
    asked.effective.key_files()
}

/// A path below the break-glass directory, with the account in it.
#[must_use]
pub fn is_break_glass(file: &str, directory: &Path) -> bool {
    let below = Path::new(file).strip_prefix(directory);
    below.is_ok_and(|below| below == Path::new("%u") || below == Path::new("%U"))
}

/// A path that is absolute and says nothing of the account.
fn is_for_all(file: &str) -> bool {
    file.starts_with('/') && !["%u", "%U", "%h"].iter().any(|token| file.contains(token))
}

const KEYWORD: &str = "AuthorizedKeysFile";
/// Files in one text: `--json` has the accounts of all.
const MAX_SHOWN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{asked, broken, what_of};

    fn ids(files: &str) -> Vec<&'static str> {
        let said = format!("authorizedkeysfile {files}\n");
        let text = format!("AuthorizedKeysFile {files}\n");
        let facts = asked(&[("deploy", &said)], &text);
        broken(&check(&facts, Path::new("/etc/keyroster/break-glass"), &[]))
    }

    #[test]
    fn every_account_that_has_a_key_in_a_file_is_named() {
        let facts = asked(&[("deploy", "authorizedkeysfile .ssh/keys\n")], "");
        let holder = |number: u32| Holder {
            account: format!("a{number}"),
            path: format!("/home/a{number}/.ssh/keys").into(),
            opens: match number {
                7 => Opens::Account,
                _ => Opens::Nothing,
            },
        };
        let holders: Vec<Holder> = (1..8).map(holder).collect();
        let findings = check(&facts, Path::new("/b"), &holders);
        let what = what_of(&findings, "home-keys");
        assert!(
            what.contains("held by \"a7\" (\"/home/a7/.ssh/keys\"), \"a1\" (")
                && what.ends_with("lets nobody in) and 3 more"),
            "{what}"
        );
        assert_eq!(findings[0].accounts.len(), 7);
        let none = check(&facts, Path::new("/b"), &[]);
        assert!(what_of(&none, "home-keys").ends_with("none of them holds a key"));
    }

    #[test]
    fn no_file_or_the_break_glass_file_is_fine() {
        assert_eq!(ids("none"), [""; 0]);
        assert_eq!(ids("/etc/keyroster/break-glass/%u"), [""; 0]);
    }

    #[test]
    fn any_other_file_is_a_warning_even_beside_the_break_glass_file() {
        assert_eq!(
            ids(".ssh/authorized_keys .ssh/authorized_keys2"),
            ["home-keys"]
        );
        assert_eq!(
            ids("/etc/keyroster/break-glass/%u %h/.ssh/authorized_keys"),
            ["home-keys"]
        );
        assert_eq!(ids("/etc/keyroster/break-glass/../keys/%u"), ["home-keys"]);
    }

    #[test]
    fn one_file_for_all_accounts_is_an_error() {
        assert_eq!(
            ids("/etc/ssh/authorized_keys"),
            ["home-keys", "keys-anywhere"]
        );
    }
}
