//! Settings of sshd that keep keyroster's answer from counting, or that it needs.

use crate::doctor::checks::mend;
use crate::doctor::facts::sshd::{Asked, SshdFacts, names};
use crate::doctor::finding::{Finding, Rule, rules};

rules! {
    PUBKEY_OFF = Error "pubkey-off": "PubkeyAuthentication is off for an account",
        "sshd asks for no key and so never asks keyroster",
        Run "sed -i.bak '1i PubkeyAuthentication yes' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    METHODS = Error "authentication-methods": "AuthenticationMethods leaves out publickey",
        "a key lets nobody in, whatever keyroster answers",
        Judge "AuthenticationMethods any, or a list in which each alternative has publickey";
    STRICT_MODES = Warning "strict-modes": "StrictModes is off",
        "sshd then reads files of keys that others can write",
        Run "sed -i.bak '1i StrictModes yes' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    PASSWORDS = Warning "passwords": "passwords let people in",
        "no revocation of a key ends a password, and passwords can be guessed",
        Judge "PasswordAuthentication no and KbdInteractiveAuthentication no, once every account that needs it has a key";
    EXPOSE = Note "expose-auth-info": "ExposeAuthInfo is on",
        "each session finds in a file with which key it was opened; others in the same account can read that file",
        Judge "ExposeAuthInfo no, unless something reads it; keyroster does not";
    PAM_OFF = Note "use-pam-off": "UsePAM is off",
        "expired accounts, limits and sessions' ends are PAM's: docs/sessions.md needs it",
        Run "sed -i.bak '1i UsePAM yes' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts) -> Vec<Finding> {
    if facts.logins.is_empty() {
        return Vec::new();
    }
    let off =
        |keyword: &'static str| move |asked: &Asked| asked.effective.first(keyword) == Some("no");
    let password = |asked: &Asked| {
        PASSWORD_KEYWORDS
            .iter()
            .any(|keyword| asked.effective.is_on(keyword))
            && !asked
                .effective
                .first("AuthenticationMethods")
                .is_some_and(needs_key)
    };
    let keyless = |asked: &Asked| {
        asked
            .effective
            .first("AuthenticationMethods")
            .is_some_and(lacks_key)
    };
    vec![
        of(
            facts,
            &PUBKEY_OFF,
            "PubkeyAuthentication",
            &off("PubkeyAuthentication"),
        ),
        of(facts, &METHODS, "AuthenticationMethods", &keyless),
        of(facts, &STRICT_MODES, "StrictModes", &off("StrictModes")),
        of(facts, &PASSWORDS, "PasswordAuthentication", &password),
        of(facts, &EXPOSE, "ExposeAuthInfo", &|asked: &Asked| {
            asked.effective.is_on("ExposeAuthInfo")
        }),
        of(facts, &PAM_OFF, "UsePAM", &off("UsePAM")),
    ]
}

fn of(
    facts: &SshdFacts,
    rule: &'static Rule,
    keyword: &str,
    wrong: &dyn Fn(&Asked) -> bool,
) -> Finding {
    let wrong = facts.those(wrong);
    let words = wrong.first().map(|first| {
        format!(
            "{} by {}, for {}",
            rule.meaning,
            facts.place(keyword, &first.login),
            names(&wrong)
        )
    });
    let value = MENDED_BY.iter().find(|(id, _)| *id == rule.id);
    let remedy = wrong.first().zip(value);
    let remedy = remedy.map(|(first, (_, value))| mend::set(facts, &first.login, keyword, value));
    Finding::judge(rule, words, &format!("{keyword} is as it should be")).mended_by_some(remedy)
}

/// Whether an alternative does without a key.
fn lacks_key(methods: &str) -> bool {
    methods != "any" && methods.split_ascii_whitespace().any(|list| !has_key(list))
}

/// Whether every alternative asks for a key.
fn needs_key(methods: &str) -> bool {
    methods != "any" && !lacks_key(methods)
}

fn has_key(list: &str) -> bool {
    list.split(',').any(|method| method == "publickey")
}

/// What a keyword is set to where that takes no judgement.
const MENDED_BY: [(&str, &str); 3] = [
    ("pubkey-off", "yes"),
    ("strict-modes", "yes"),
    ("use-pam-off", "yes"),
];
const PASSWORD_KEYWORDS: [&str; 2] = ["PasswordAuthentication", "KbdInteractiveAuthentication"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{asked, broken};

    fn ids(said: &str) -> Vec<&'static str> {
        broken(&check(&asked(&[("deploy", said)], "")))
    }

    #[test]
    fn what_sshd_does_by_default_without_passwords_is_fine() {
        let said = "pubkeyauthentication yes\nauthenticationmethods any\nstrictmodes yes\nusepam yes\npasswordauthentication no\nkbdinteractiveauthentication no\n";
        assert_eq!(ids(said), [""; 0]);
    }

    #[test]
    fn each_setting_that_stands_in_the_way_is_told() {
        for (said, id) in [
            ("pubkeyauthentication no\n", "pubkey-off"),
            ("authenticationmethods password\n", "authentication-methods"),
            (
                "authenticationmethods publickey,password keyboard-interactive\n",
                "authentication-methods",
            ),
            ("strictmodes no\n", "strict-modes"),
            ("usepam no\n", "use-pam-off"),
            ("exposeauthinfo yes\n", "expose-auth-info"),
            (
                "passwordauthentication yes\nauthenticationmethods any\n",
                "passwords",
            ),
            ("kbdinteractiveauthentication yes\n", "passwords"),
        ] {
            assert_eq!(ids(said), [id], "{said}");
        }
    }

    #[test]
    fn a_password_beside_a_key_is_no_way_in_of_its_own() {
        assert_eq!(
            ids("passwordauthentication yes\nauthenticationmethods publickey,password\n"),
            [""; 0]
        );
    }
}
