//! The accounts that the key server grants, as this host knows them.

use std::collections::BTreeMap;

use crate::admission::{by_lists, sends_away};
use crate::doctor::checks::paths::quoted_text;
use crate::doctor::facts::Seen;
use crate::doctor::facts::accounts::{AccountFacts, Entry};
use crate::doctor::facts::sshd::{Asked, SshdFacts};
use crate::doctor::finding::{Finding, Remedy, Rule, rules};

rules! {
    MISSING = Warning "account-missing": "a granted account does not exist on this host",
        "sshd lets nobody in to an account that the name services don't know, and never asks for its keys",
        Judge "make the account, or take the grant away";
    UID_ZERO = Error "account-uid-0": "a granted account other than root has uid 0",
        "it is root by another name: keyroster answers for it from root's grants alone",
        Judge "give it a uid of its own, or grant root where root is meant";
    LOCKED = Warning "account-locked": "a granted account is locked",
        "sshd refuses it before it asks for keys, unless PAM decides",
        Run "usermod -p '*' ACCOUNT";
    NO_SHELL = Note "account-no-shell": "a granted account's shell sends everybody away",
        "the login succeeds and ends at once; with a forced command or forwarding that may be meant",
        Judge "usermod -s /bin/bash ACCOUNT, if people are to work in it";
    DENIED = Warning "account-denied": "sshd's own lists keep a granted account out",
        "DenyUsers, AllowUsers and their like for groups are looked at before any key",
        Judge "take it from DenyUsers or put it into AllowUsers, or take the grant away";
    ROOT_EQUAL = Warning "account-root-equal": "a granted account is in a group that amounts to root",
        "whoever may log in to it may become root: grant it as carefully as root",
        Judge "gpasswd --delete ACCOUNT GROUP, or see to it that the grant is meant so";
    MANY = Note "accounts-many": "there are more granted accounts than are looked up",
        "what is said here is about the first ones",
        Judge "nothing";
}

/// The verdicts.
#[must_use]
pub fn check(accounts: &Seen<AccountFacts>, sshd: Option<&SshdFacts>) -> Vec<Finding> {
    let facts = match accounts {
        Ok(facts) => facts,
        Err(unseen) => return vec![Finding::unseen(&MISSING, &unseen.0)],
    };
    let of = |is: &dyn Fn(&str, &Entry) -> bool| -> Vec<&str> {
        let entries = facts
            .granted
            .iter()
            .filter_map(|(name, entry)| Some((name.as_str(), entry.as_ref()?)));
        entries
            .filter(|(name, entry)| is(name, entry))
            .map(|(name, _)| name)
            .collect()
    };
    let missing = facts.granted.iter().filter(|(_, entry)| entry.is_none());
    let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
    let without_pam = sshd.is_some_and(pam_is_off);
    let locked = of(&|_, entry| without_pam && entry.locked == Some(true));
    let unlock = |name: &&str| Remedy::run(format!("usermod -p '*' -- {}", quoted_text(name)));
    let mut findings = vec![
        said(&MISSING, &missing, "does not exist"),
        said(
            &UID_ZERO,
            &of(&|name, entry| entry.uid == 0 && name != "root"),
            "has uid 0",
        ),
        said(&LOCKED, &locked, "is locked").mended_by_some(locked.first().map(unlock)),
        said(
            &NO_SHELL,
            &of(&|_, entry| sends_away(&entry.shell)),
            "has no shell",
        ),
    ];
    let privileged = privileged(facts);
    let privileged: Vec<&str> = privileged.iter().map(String::as_str).collect();
    findings.push(said(&ROOT_EQUAL, &privileged, "is as good as root"));
    findings.extend(
        sshd.map(|sshd| said(&DENIED, &denied(facts, sshd), "is kept out by sshd's lists")),
    );
    if facts.passed_over > 0 {
        findings.push(Finding::broken(
            &MANY,
            format!("{} accounts were not looked up", facts.passed_over),
        ));
    }
    findings
}

fn pam_is_off(sshd: &SshdFacts) -> bool {
    let off = sshd.those(|asked| asked.effective.first("UsePAM") == Some("no"));
    off.len() == sshd.logins.len()
}

/// Granted accounts in groups that amount to root.
fn privileged(facts: &AccountFacts) -> Vec<String> {
    let granted = |member: &str| facts.granted.iter().any(|(name, _)| name == member);
    let all = facts.privileged.iter();
    all.flat_map(|(group, members)| members.iter().map(move |member| (group, member)))
        .filter(|(_, member)| member.as_str() != "root" && granted(member))
        .map(|(group, member)| format!("{member} ({group})"))
        .collect()
}

fn said(rule: &'static Rule, names: &[&str], what: &str) -> Finding {
    let few: Vec<String> = names
        .iter()
        .take(MAX_NAMES)
        .map(|name| format!("\"{name}\""))
        .collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    let rest = if more > 0 {
        format!(" (and {more} more)")
    } else {
        String::new()
    };
    let words = (!names.is_empty()).then(|| format!("{}{rest} {what}", few.join(", ")));
    Finding::judge(rule, words, "no granted account is concerned")
}

/// Accounts that sshd's lists of users and groups keep out, wherever the client is.
fn denied<'a>(facts: &'a AccountFacts, sshd: &SshdFacts) -> Vec<&'a str> {
    let logins = sshd.logins.iter();
    let logins: BTreeMap<&str, &Asked> = logins
        .rev()
        .map(|asked| (asked.login.user.as_str(), asked))
        .collect();
    let is_denied = |name: &str| {
        logins
            .get(name)
            .is_some_and(|it| by_lists(name, &it.login.groups, &it.effective).is_some())
    };
    let names = facts.granted.iter().map(|(name, _)| name.as_str());
    names.filter(|name| is_denied(name)).collect()
}

const MAX_NAMES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{asked, broken, what_of};

    fn entry() -> Entry {
        Entry {
            uid: 1000,
            gid: 1000,
            shell: "/bin/bash".to_owned(),
            locked: Some(false),
        }
    }

    fn facts(entry: Option<Entry>) -> AccountFacts {
        AccountFacts {
            granted: vec![("deploy".to_owned(), entry)],
            ..AccountFacts::default()
        }
    }

    fn ids(entry: Option<Entry>, said: &str) -> Vec<&'static str> {
        broken(&check(
            &Ok(facts(entry)),
            Some(&asked(&[("deploy", said)], "")),
        ))
    }

    #[test]
    fn an_account_that_exists_and_may_log_in_is_fine() {
        assert_eq!(ids(Some(entry()), "usepam yes\n"), [""; 0]);
    }

    #[test]
    fn what_keeps_an_account_from_being_logged_in_to_is_told() {
        assert_eq!(ids(None, ""), ["account-missing"]);
        assert_eq!(
            ids(Some(Entry { uid: 0, ..entry() }), ""),
            ["account-uid-0"]
        );
        let shell = "/usr/sbin/nologin".to_owned();
        assert_eq!(
            ids(Some(Entry { shell, ..entry() }), ""),
            ["account-no-shell"]
        );
        let locked = || {
            Some(Entry {
                locked: Some(true),
                ..entry()
            })
        };
        assert_eq!(ids(locked(), "usepam no\n"), ["account-locked"]);
        assert_eq!(ids(locked(), "usepam yes\n"), [""; 0]);
    }

    #[test]
    fn sshds_lists_are_looked_at() {
        for (said, ids_) in [
            ("denyusers deploy\n", vec!["account-denied"]),
            ("denyusers dep*\n", vec!["account-denied"]),
            (
                "allowusers root\nallowusers alice\n",
                vec!["account-denied"],
            ),
            ("allowusers root\nallowusers deploy@192.0.2.*\n", vec![]),
            ("allowgroups staff\n", vec!["account-denied"]),
            ("allowgroups deploy\n", vec![]),
            ("denygroups deploy\n", vec!["account-denied"]),
        ] {
            assert_eq!(ids(Some(entry()), said), ids_, "{said}");
        }
    }

    #[test]
    fn a_granted_account_in_a_group_like_docker_is_as_good_as_root() {
        let accounts = AccountFacts {
            privileged: [(
                "docker".to_owned(),
                vec!["deploy".to_owned(), "root".to_owned(), "other".to_owned()],
            )]
            .into(),
            ..facts(Some(entry()))
        };
        let findings = check(&Ok(accounts), None);
        assert_eq!(broken(&findings), ["account-root-equal"]);
        assert!(what_of(&findings, "account-root-equal").contains("\"deploy (docker)\""));
    }
}
