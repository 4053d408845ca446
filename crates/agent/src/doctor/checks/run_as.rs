//! The user as whom the key command runs.

use crate::doctor::checks::command::Command;
use crate::doctor::checks::mend;
use crate::doctor::checks::paths::quoted_text;
use crate::doctor::facts::Seen;
use crate::doctor::facts::accounts::AccountFacts;
use crate::doctor::facts::sshd::{Asked, SshdFacts, names};
use crate::doctor::finding::{Finding, Remedy, rules};

rules! {
    USER_UNSET = Error "command-user-unset": "a key command has no AuthorizedKeysCommandUser",
        "sshd runs no key command without it; inside a `Match` block that shows at a login only",
        Run "sed -i.bak 'NUMBERa AuthorizedKeysCommandUser keyroster-lookup' FILE && sshd -t && systemctl reload ssh";
    USER_MISSING = Error "command-user-missing": "the user of the key command does not exist",
        "sshd does not run the key command, which neither `sshd -t` nor a reload tells",
        Run "systemd-sysusers";
    USER_SHARED = Error "command-user-shared": "the key command runs as root or as a user of many services",
        "what reads a stranger's offer should own nothing, and nobody else should be that user",
        Run "sed -i.bak '1i AuthorizedKeysCommandUser keyroster-lookup' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    USER_GROUPS = Warning "command-user-groups": "the user of the key command is in other groups",
        "sshd gives the key command all of them: what reads a stranger's offer can then do what they can",
        Run "gpasswd --delete keyroster-lookup GROUP";
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts, accounts: &Seen<AccountFacts>) -> Vec<Finding> {
    let with = facts.those(|asked| of(asked) != Command::None);
    if with.is_empty() {
        return Vec::new();
    }
    let unset: Vec<&Asked> = with
        .iter()
        .filter(|asked| user(asked).is_none())
        .copied()
        .collect();
    let words = unset.first().map(|first| {
        let place = facts.place(COMMAND, &first.login);
        format!(
            "the key command at {place} has no user, for {}",
            names(&unset)
        )
    });
    let mut findings = vec![
        Finding::judge(&USER_UNSET, words, "each key command has a user").mended_by_some(
            unset.first().and_then(|first| {
                let ours = matches!(of(first), Command::Ours(_));
                let line = format!("{USER} keyroster-lookup");
                ours.then(|| mend::behind(facts, &first.login, COMMAND, &line))
            }),
        ),
    ];
    let mut users: Vec<&str> = with.iter().filter_map(|asked| user(asked)).collect();
    users.sort_unstable();
    users.dedup();
    match accounts {
        Ok(accounts) => {
            let of = |user: &&str| {
                let first = with.iter().find(|asked| self::user(asked) == Some(*user));
                let own = first.map(|it| mend::set(facts, &it.login, USER, "keyroster-lookup"));
                of_user(user, accounts, own)
            };
            findings.extend(users.iter().flat_map(of));
        }
        Err(unseen) => findings.push(Finding::unseen(&USER_MISSING, &unseen.0)),
    }
    findings
}

fn of_user(user: &str, accounts: &AccountFacts, own_user: Option<Remedy>) -> Vec<Finding> {
    let Some(runner) = accounts.runners.get(user) else {
        return vec![Finding::unseen(
            &USER_MISSING,
            format!("user \"{user}\" was not looked up"),
        )];
    };
    let Some(runner) = runner else {
        return vec![Finding::broken(
            &USER_MISSING,
            format!("there is no user \"{user}\""),
        )];
    };
    let shared = runner.uid == 0 || SHARED.contains(&user);
    let shared = shared.then(|| format!("the key command runs as \"{user}\" (uid {})", runner.uid));
    let others: Vec<&str> = runner
        .groups
        .iter()
        .map(String::as_str)
        .filter(|group| *group != user)
        .collect();
    let groups =
        (!others.is_empty()).then(|| format!("\"{user}\" is also in {}", others.join(", ")));
    let alone = format!("\"{user}\" is a user of its own");
    let mend = others.first().map(|group| {
        let (user, group) = (quoted_text(user), quoted_text(group));
        Remedy::run(format!("gpasswd --delete {user} {group}"))
    });
    vec![
        Finding::holds(&USER_MISSING, format!("user \"{user}\" exists")),
        Finding::judge(&USER_SHARED, shared, &alone).mended_by_some(own_user),
        Finding::judge(&USER_GROUPS, groups, &alone).mended_by_some(mend),
    ]
}

fn of(asked: &Asked) -> Command<'_> {
    Command::of(asked.effective.key_command())
}

fn user(asked: &Asked) -> Option<&str> {
    asked.effective.key_command_user()
}

const COMMAND: &str = "AuthorizedKeysCommand";
const USER: &str = "AuthorizedKeysCommandUser";
/// Users that belong to nobody in particular.
const SHARED: [&str; 4] = ["nobody", "daemon", "sshd", "www-data"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{OURS, SSHD, asked, broken, unseen};
    use crate::doctor::facts::Unseen;
    use crate::doctor::facts::accounts::Runner;

    fn facts(user: &str) -> SshdFacts {
        let said = format!("authorizedkeyscommand {OURS}\nauthorizedkeyscommanduser {user}\n");
        asked(&[("deploy", &said)], SSHD)
    }

    fn ids(user: &str, runner: Option<(u32, &[&str])>) -> Vec<&'static str> {
        let runner = runner.map(|(uid, groups)| Runner {
            uid,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        });
        let accounts = AccountFacts {
            runners: [(user.to_owned(), runner)].into(),
            ..AccountFacts::default()
        };
        broken(&check(&facts(user), &Ok(accounts)))
    }

    #[test]
    fn a_user_of_its_own_in_no_other_group_is_fine() {
        assert_eq!(
            ids("keyroster-lookup", Some((990, &["keyroster-lookup"]))),
            [""; 0]
        );
    }

    #[test]
    fn a_user_that_is_missing_root_shared_or_in_other_groups_is_told() {
        assert_eq!(ids("keyroster-lookup", None), ["command-user-missing"]);
        assert_eq!(ids("root", Some((0, &["root"]))), ["command-user-shared"]);
        assert_eq!(ids("toor", Some((0, &["toor"]))), ["command-user-shared"]);
        assert_eq!(
            ids("nobody", Some((65_534, &["nobody"]))),
            ["command-user-shared"]
        );
        assert_eq!(
            ids(
                "keyroster-lookup",
                Some((990, &["keyroster-lookup", "adm"]))
            ),
            ["command-user-groups"]
        );
    }

    #[test]
    fn a_command_without_a_user_is_told_with_its_line() {
        let findings = check(&facts("none"), &Ok(AccountFacts::default()));
        assert_eq!(broken(&findings), ["command-user-unset"]);
        assert!(findings[0].what.contains("sshd_config:2"));
    }

    #[test]
    fn name_services_that_do_not_answer_are_no_verdict() {
        let findings = check(
            &facts("keyroster-lookup"),
            &Err(Unseen::because("getent hangs")),
        );
        assert_eq!(
            (broken(&findings), unseen(&findings)),
            (vec![], vec!["command-user-missing"])
        );
    }
}
