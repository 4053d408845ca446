//! The files of the configuration: what they hold besides, and whether what they say is what sshd does.

use keyroster_sshd::tree::Setting;

use crate::doctor::checks::command::Command;
use crate::doctor::facts::sshd::{Asked, SshdFacts};
use crate::doctor::finding::{Finding, rules};

rules! {
    OTHER_PROVIDER = Note "other-provider": "another provider's key command stands in a file, and does not win",
        "it would take over as soon as ours is gone, or its file sorts first",
        Judge "make it a source `command:PATH` of /etc/keyroster/lookup.conf if its keys are still wanted";
    COMMAND_LINE = Warning "command-line-option": "sshd was started with an option that decides about keys",
        "`-o` beats every file outside of `Match` blocks, and no look into /etc/ssh finds it",
        Judge "look at systemctl cat ssh and at /etc/default/ssh, and take the option away";
    DISAGREES = Warning "tree-disagrees": "what sshd says is not what stands in the file",
        "the places that are named here may be wrong, or sshd has read other files than are there now",
        Judge "compare with sshd -T -C user=NAME,host=HOST,addr=ADDRESS, and reload sshd if its files are newer than what it does";
    UNREAD = Warning "configuration-unread": "a part of the configuration could not be read",
        "what it sets is not among the places that are named here",
        Judge "look at the file that is named";
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts) -> Vec<Finding> {
    let mut findings = others(facts);
    findings.extend(options(facts));
    findings.extend(disagreements(facts));
    let problems = facts.tree.problems().iter();
    findings.extend(problems.map(|problem| Finding::broken(&UNREAD, problem.to_string())));
    if facts.tree.problems().is_empty() {
        findings.push(Finding::holds(
            &UNREAD,
            format!("files that were read: {}", facts.tree.files().len()),
        ));
    }
    findings
}

fn others(facts: &SshdFacts) -> Vec<Finding> {
    let settings = facts.tree.settings(COMMAND);
    let foreign = settings.filter(|setting| matches!(Command::of(Some(&setting.value)), Command::Foreign(value) if value != "none"));
    let wins = |place| {
        facts.logins.iter().any(|asked| {
            facts
                .winner(COMMAND, &asked.login)
                .is_some_and(|it| &it.place == place)
        })
    };
    let found: Vec<Finding> = foreign
        .filter(|setting| !wins(&setting.place))
        .map(|setting| {
            Finding::broken(
                &OTHER_PROVIDER,
                format!("{} has \"{}\"", setting.place, program(&setting.value)),
            )
        })
        .collect();
    or_holds(
        found,
        &OTHER_PROVIDER,
        "no other provider's key command stands anywhere",
    )
}

fn options(facts: &SshdFacts) -> Vec<Finding> {
    let ours = |value: &str| matches!(Command::of(Some(value)), Command::Ours(_));
    let deciding = facts
        .tree
        .overrides()
        .iter()
        .filter(|it| DECIDING.contains(&it.keyword.as_str()) && !ours(&it.value));
    let found: Vec<Finding> = deciding
        .map(|setting| {
            Finding::broken(
                &COMMAND_LINE,
                format!("the sshd that runs was started with -o {}", setting.keyword),
            )
        })
        .collect();
    or_holds(
        found,
        &COMMAND_LINE,
        "nothing on sshd's command line decides about keys",
    )
}

fn disagreements(facts: &SshdFacts) -> Vec<Finding> {
    let mut found = Vec::new();
    for keyword in COMPARED {
        let differs = |asked: &&Asked| {
            let written = facts
                .winner(keyword, &asked.login)
                .map(|it| written(it, keyword));
            let said = asked
                .effective
                .first(keyword)
                .map(split)
                .unwrap_or_default();
            written.is_some_and(|written| !same(&written, &said))
        };
        if let Some(asked) = facts.logins.iter().find(differs) {
            let place = facts.place(keyword, &asked.login);
            found.push(Finding::broken(
                &DISAGREES,
                format!(
                    "{keyword} for \"{}\" is not what stands at {place}",
                    asked.login.user
                ),
            ));
        }
    }
    or_holds(
        found,
        &DISAGREES,
        "what sshd says stands where it was found",
    )
}

fn or_holds(
    found: Vec<Finding>,
    rule: &'static crate::doctor::finding::Rule,
    holds: &str,
) -> Vec<Finding> {
    if found.is_empty() {
        vec![Finding::holds(rule, holds)]
    } else {
        found
    }
}

/// What stands in the file, in the words in which sshd reports it.
fn written(setting: &Setting, keyword: &str) -> Vec<String> {
    if keyword == COMMAND {
        split(&setting.value)
    } else {
        setting.words()
    }
}

fn split(value: &str) -> Vec<String> {
    value.split_ascii_whitespace().map(str::to_owned).collect()
}

/// `yes` and `none` know no case, and nothing else that is compared differs by it alone.
fn same(one: &[String], other: &[String]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| one.eq_ignore_ascii_case(other))
}

/// Arguments may be anybody's secret; the program is not.
fn program(command: &str) -> &str {
    command.split_ascii_whitespace().next().unwrap_or_default()
}

const COMMAND: &str = "AuthorizedKeysCommand";

/// What is compared. Not the principals command: that it differs has a finding of its own.
const COMPARED: [&str; 4] = [
    COMMAND,
    "AuthorizedKeysCommandUser",
    "AuthorizedKeysFile",
    "PubkeyAuthentication",
];

/// What decides which keys are taken.
const DECIDING: [&str; 10] = [
    "authorizedkeyscommand",
    "authorizedkeyscommanduser",
    "authorizedkeysfile",
    "authorizedprincipalscommand",
    "authorizedprincipalscommanduser",
    "authorizedprincipalsfile",
    "pubkeyauthentication",
    "revokedkeys",
    "trustedusercakeys",
    "authenticationmethods",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{OURS, SSHD, broken, sshd, what_of};

    #[test]
    fn a_configuration_with_one_provider_that_says_what_sshd_says_is_fine() {
        assert_eq!(
            broken(&check(&sshd(&[("deploy", OURS)], &with_user("")))),
            [""; 0]
        );
    }

    fn with_user(more: &str) -> String {
        format!("{SSHD}AuthorizedKeysCommandUser keyroster-lookup\n{more}")
    }

    #[test]
    fn a_provider_that_does_not_win_is_a_note_and_its_arguments_are_not_shown() {
        let text = with_user("AuthorizedKeysCommand /opt/sss secret %u\n");
        let findings = check(&sshd(&[("deploy", OURS)], &text));
        assert_eq!(broken(&findings), ["other-provider"]);
        let what = what_of(&findings, "other-provider");
        assert!(
            what.contains("sshd_config:4") && what.contains("/opt/sss") && !what.contains("secret"),
            "{what}"
        );
    }

    #[test]
    fn an_option_of_the_command_line_that_decides_is_told_and_another_is_not() {
        let mut facts = sshd(&[("deploy", OURS)], &with_user(""));
        let options = ["MaxStartups=9", "TrustedUserCAKeys=/etc/ca"].map(str::to_owned);
        facts.tree = facts.tree.with_overrides(&options);
        let findings = check(&facts);
        assert_eq!(broken(&findings), ["command-line-option"]);
        assert!(what_of(&findings, "command-line-option").contains("trustedusercakeys"));
    }

    #[test]
    fn a_value_that_is_not_the_one_of_the_file_is_told() {
        let findings = check(&sshd(&[("deploy", "/somebody/else")], &with_user("")));
        assert_eq!(broken(&findings), ["tree-disagrees"]);
        assert!(what_of(&findings, "tree-disagrees").contains("sshd_config:2"));
    }

    #[test]
    fn quotes_comments_and_case_are_no_difference() {
        let text =
            "AuthorizedKeysCommandUser \"keyroster-lookup\" # ours\nPubkeyAuthentication YES\n";
        let said = "authorizedkeyscommanduser keyroster-lookup\npubkeyauthentication yes\n";
        let facts = crate::doctor::checks::testing::asked(&[("deploy", said)], text);
        assert_eq!(broken(&check(&facts)), [""; 0]);
    }

    #[test]
    fn a_file_that_could_not_be_read_is_told() {
        let findings = check(&sshd(
            &[("deploy", OURS)],
            &with_user("Include /dev/nul[l]\n"),
        ));
        assert_eq!(broken(&findings), ["configuration-unread"]);
    }
}
