//! `AuthorizedPrincipalsCommand`, which some releases drop without a word.

use keyroster_sshd::Version;
use keyroster_sshd::tree::Setting;

use crate::doctor::checks::mend;
use crate::doctor::facts::sshd::{Asked, SshdFacts, names};
use crate::doctor::finding::{Finding, rules};

rules! {
    PRINCIPALS_DROPPED = Error "principals-dropped": "sshd dropped a principals command that stands behind the key command",
        "OpenSSH 8.7 to 9.3 does so silently, and then takes any certificate whose principals name the account",
        Judge "put AuthorizedPrincipalsCommand and its user above AuthorizedKeysCommand";
    PRINCIPALS_NONE = Warning "principals-none": "`AuthorizedPrincipalsCommand none` is written out",
        "that is not off: from 8.7 on sshd then refuses every certificate",
        Run "sed -i.bak 'NUMBER{/AuthorizedPrincipalsCommand[[:space:]=]/Id}' FILE && sshd -t && systemctl reload ssh";
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts) -> Vec<Finding> {
    if facts.logins.is_empty() {
        return Vec::new();
    }
    let written = |asked: &Asked| facts.winner(KEYWORD, &asked.login);
    let dropped = facts.those(|asked| {
        written(asked).is_some_and(is_set) && asked.effective.set(KEYWORD).is_none()
    });
    let affected = facts.version >= FIRST && facts.version <= LAST;
    let dropped_words = dropped.first().filter(|_| affected).map(|first| {
        let place = facts.place(KEYWORD, &first.login);
        format!(
            "the principals command at {place} is not in effect, for {}",
            names(&dropped)
        )
    });
    let off = facts.those(|asked| {
        written(asked).is_some_and(|it| !is_set(it))
            && asked.effective.set("TrustedUserCAKeys").is_some()
    });
    let off_words = off.first().map(|first| {
        format!(
            "AuthorizedPrincipalsCommand is none by {}, for {}",
            facts.place(KEYWORD, &first.login),
            names(&off)
        )
    });
    vec![
        Finding::judge(
            &PRINCIPALS_DROPPED,
            dropped_words,
            "no principals command was dropped",
        ),
        match (off.first(), off_words) {
            (Some(first), Some(words)) => Finding::broken(&PRINCIPALS_NONE, words)
                .mended_by(mend::remove(facts, &first.login, KEYWORD)),
            _ => Finding::holds(&PRINCIPALS_NONE, "no principals command is none"),
        },
    ]
}

fn is_set(setting: &Setting) -> bool {
    !setting.value.eq_ignore_ascii_case("none")
}

const KEYWORD: &str = "AuthorizedPrincipalsCommand";
const FIRST: Version = Version::new(8, 7);
const LAST: Version = Version::new(9, 3);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{OURS, asked, broken, what_of};

    const BEHIND: &str = "AuthorizedKeysCommand /x\nAuthorizedPrincipalsCommand /y %u\n";

    fn at(version: Version, said: &str, text: &str) -> Vec<Finding> {
        let said = format!("authorizedkeyscommand {OURS}\n{said}");
        let mut facts = asked(&[("deploy", &said)], text);
        facts.version = version;
        check(&facts)
    }

    #[test]
    fn a_command_that_is_written_and_not_in_effect_was_dropped() {
        let dropped = "authorizedprincipalscommand none\n";
        for version in [Version::new(8, 7), Version::new(9, 2), Version::new(9, 3)] {
            let findings = at(version, dropped, BEHIND);
            assert_eq!(broken(&findings), ["principals-dropped"], "{version}");
            assert!(what_of(&findings, "principals-dropped").contains("sshd_config:2"));
        }
        for version in [Version::new(8, 4), Version::new(9, 4)] {
            assert_eq!(broken(&at(version, dropped, BEHIND)), [""; 0], "{version}");
        }
    }

    #[test]
    fn one_that_is_in_effect_was_not() {
        let findings = at(LAST, "authorizedprincipalscommand /y %u\n", BEHIND);
        assert_eq!(broken(&findings), [""; 0]);
    }

    #[test]
    fn none_is_told_where_certificates_are_trusted() {
        let text = "AuthorizedPrincipalsCommand none\n";
        let trusted = "authorizedprincipalscommand none\ntrustedusercakeys /etc/ssh/ca\n";
        assert_eq!(broken(&at(LAST, trusted, text)), ["principals-none"]);
        assert_eq!(broken(&at(LAST, "trustedusercakeys none\n", text)), [""; 0]);
    }
}
