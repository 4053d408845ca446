//! Limits of sshd that decide what an outage does.

use keyroster_sshd::Version;

use crate::doctor::checks::mend;
use crate::doctor::facts::sshd::{Asked, SshdFacts, names};
use crate::doctor::finding::{Finding, rules};

rules! {
    GRACE_TIME = Warning "login-grace-time": "LoginGraceTime is 0, shorter than 10 s or longer than 120 s",
        "it is sshd's only limit on a key command that hangs: without one hung logins fill MaxStartups for ever",
        Run "sed -i.bak '1i LoginGraceTime 60' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    STARTUPS = Warning "max-startups": "MaxStartups allows fewer than 10 logins at a time",
        "a few connections that hang then keep everybody out, break-glass too",
        Run "sed -i.bak '1i MaxStartups 10:30:100' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    TRIES = Warning "max-auth-tries": "MaxAuthTries is less than 3",
        "a client offers its keys one after the other: the right one may never have its turn",
        Run "sed -i.bak '1i MaxAuthTries 6' /etc/ssh/sshd_config && sshd -t && systemctl reload ssh";
    PENALTIES = Note "per-source-penalties": "PerSourcePenalties is on and exempts nobody",
        "each refused login counts, so an outage can lock out a jump host or an office for minutes (OpenSSH 9.8 and later)",
        Judge "PerSourcePenaltyExemptList with the networks of your jump hosts";
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts) -> Vec<Finding> {
    let Some(asked) = facts.logins.first() else {
        return Vec::new();
    };
    let value = |keyword: &str| asked.effective.first(keyword).unwrap_or_default();
    let place = |keyword: &str| facts.place(keyword, &asked.login);
    let grace = seconds(value("LoginGraceTime"))
        .filter(|it| !(SHORTEST_GRACE_S..=LONGEST_GRACE_S).contains(it));
    let startups = first_number(value("MaxStartups")).filter(|it| *it < LEAST_STARTUPS);
    let mend = |keyword: &str, value: &str| mend::set(facts, &asked.login, keyword, value);
    let mut findings = vec![
        Finding::judge(
            &GRACE_TIME,
            grace.map(|it| format!("LoginGraceTime is {it} s by {}", place("LoginGraceTime"))),
            "LoginGraceTime ends what hangs",
        )
        .mended_by(mend("LoginGraceTime", "60")),
        Finding::judge(
            &STARTUPS,
            startups.map(|it| {
                format!(
                    "MaxStartups begins to refuse at {it} by {}",
                    place_of_startups(facts, asked, it)
                )
            }),
            "MaxStartups leaves room",
        )
        .mended_by(mend("MaxStartups", "10:30:100")),
        tries(facts),
    ];
    if facts.version >= FIRST_WITH_PENALTIES {
        findings.push(Finding::judge(
            &PENALTIES,
            penalties(asked),
            "PerSourcePenalties exempts somebody, or is off",
        ));
    }
    findings
}

/// A `Match` block may have its own.
fn tries(facts: &SshdFacts) -> Finding {
    let number = |asked: &Asked| first_number(asked.effective.first(TRIES_KEYWORD)?);
    let few = facts.those(|asked| number(asked).is_some_and(|it| it < LEAST_TRIES));
    let Some(first) = few.first() else {
        return Finding::holds(&TRIES, "MaxAuthTries leaves room for several keys");
    };
    let words = format!(
        "{TRIES_KEYWORD} is {} by {}, for {}",
        number(first).unwrap_or_default(),
        facts.place(TRIES_KEYWORD, &first.login),
        names(&few)
    );
    Finding::broken(&TRIES, words).mended_by(mend::set(facts, &first.login, TRIES_KEYWORD, "6"))
}

/// Of several lines OpenSSH 9.2 takes the last, where the first wins of other keywords: the one that says what sshd says.
fn place_of_startups(facts: &SshdFacts, asked: &Asked, begin: u32) -> String {
    let lines = facts.tree.holding("MaxStartups", &asked.login);
    let said = lines
        .iter()
        .find(|it| first_number(&it.value) == Some(begin));
    said.map_or_else(|| "sshd's default".to_owned(), |it| it.place.to_string())
}

fn penalties(asked: &Asked) -> Option<String> {
    let off = asked.effective.first("PerSourcePenalties") == Some("no");
    let exempt = asked.effective.set("PerSourcePenaltyExemptList").is_some();
    (!off && !exempt)
        .then(|| "PerSourcePenalties is on, and PerSourcePenaltyExemptList is empty".to_owned())
}

fn first_number(value: &str) -> Option<u32> {
    value.split([':', ' ']).next()?.parse().ok()
}

/// `sshd -T` prints seconds; a file may have units.
fn seconds(value: &str) -> Option<u32> {
    value.parse().ok()
}

const TRIES_KEYWORD: &str = "MaxAuthTries";
const SHORTEST_GRACE_S: u32 = 10;
const LONGEST_GRACE_S: u32 = 120;
const LEAST_STARTUPS: u32 = 10;
const LEAST_TRIES: u32 = 3;
const FIRST_WITH_PENALTIES: Version = Version::new(9, 8);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{asked, broken, what_of};

    fn ids(version: Version, said: &str) -> Vec<&'static str> {
        let mut facts = asked(&[("deploy", said)], "");
        facts.version = version;
        broken(&check(&facts))
    }

    #[test]
    fn what_sshd_does_by_default_is_fine() {
        let said = "logingracetime 120\nmaxstartups 10:30:100\nmaxauthtries 6\n";
        assert_eq!(ids(Version::new(9, 2), said), [""; 0]);
    }

    #[test]
    fn limits_that_are_too_tight_or_missing_are_told() {
        for (said, id) in [
            ("logingracetime 0\n", "login-grace-time"),
            ("logingracetime 5\n", "login-grace-time"),
            ("logingracetime 600\n", "login-grace-time"),
            ("maxstartups 2:30:10\n", "max-startups"),
            ("maxauthtries 2\n", "max-auth-tries"),
        ] {
            assert_eq!(ids(Version::new(9, 2), said), [id], "{said}");
        }
    }

    #[test]
    fn the_line_is_named_that_says_what_sshd_says() {
        let tree = "MaxStartups 100\nMaxStartups 3\n";
        let facts = asked(&[("deploy", "maxstartups 3:30:3\n")], tree);
        let findings = check(&facts);
        let what = what_of(&findings, "max-startups");
        assert!(what.ends_with(":2"), "{what}");
    }

    #[test]
    fn a_block_that_leaves_too_few_tries_to_one_account_is_told() {
        let facts = asked(
            &[("root", "maxauthtries 6\n"), ("deploy", "maxauthtries 1\n")],
            "MaxAuthTries 6\nMatch User deploy\nMaxAuthTries 1\n",
        );
        let findings = check(&facts);
        assert_eq!(broken(&findings), ["max-auth-tries"]);
        let what = what_of(&findings, "max-auth-tries");
        assert!(what.contains("sshd_config:3, for \"deploy\""), "{what}");
        let mend = findings.iter().find_map(Finding::mend).unwrap();
        assert!(mend.text().starts_with("sed -i.bak '3s#"), "{mend:?}");
    }

    #[test]
    fn penalties_are_spoken_of_where_sshd_has_them() {
        let on = "persourcepenalties crash:90 authfail:5\npersourcepenaltyexemptlist none\n";
        assert_eq!(ids(Version::new(9, 8), on), ["per-source-penalties"]);
        assert_eq!(ids(Version::new(9, 7), on), [""; 0]);
        assert_eq!(ids(Version::new(10, 0), "persourcepenalties no\n"), [""; 0]);
        assert_eq!(
            ids(
                Version::new(10, 0),
                "persourcepenaltyexemptlist 192.0.2.0/24\n"
            ),
            [""; 0]
        );
    }
}
