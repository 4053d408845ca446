//! `AuthorizedKeysFile`: the keys that sshd finds without asking anybody.

use std::path::Path;

use crate::doctor::facts::sshd::{Asked, SshdFacts, names};
use crate::doctor::finding::{Finding, rules};

rules! {
    HOME_KEYS = Warning "home-keys": "keys in files other than break-glass files let people in",
        "no revocation reaches those keys, and whoever is in an account can add more to its home directory",
        "move what is still needed to keyroster, then keyroster-agent enable; or set AuthorizedKeysFile to the break-glass path";
    KEYS_ANYWHERE = Error "keys-anywhere": "AuthorizedKeysFile names a file that is the same for all accounts",
        "one key in it opens every account of the host, root's too",
        "put %u into the path";
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts, break_glass: &Path) -> Vec<Finding> {
    if facts.logins.is_empty() {
        return Vec::new();
    }
    let home = facts.those(|asked| files(asked).any(|file| !is_break_glass(file, break_glass)));
    let words = home.first().map(|first| {
        let all: Vec<&str> = files(first).collect();
        let place = facts.place(KEYWORD, &first.login);
        format!(
            "AuthorizedKeysFile is \"{}\" by {place}, for {}",
            all.join(" "),
            names(&home)
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
        ),
        Finding::judge(
            &KEYS_ANYWHERE,
            shared,
            "no file of keys is for all accounts",
        ),
    ]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{asked, broken};

    fn ids(files: &str) -> Vec<&'static str> {
        let said = format!("authorizedkeysfile {files}\n");
        let text = format!("AuthorizedKeysFile {files}\n");
        let facts = asked(&[("deploy", &said)], &text);
        broken(&check(&facts, Path::new("/etc/keyroster/break-glass")))
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
