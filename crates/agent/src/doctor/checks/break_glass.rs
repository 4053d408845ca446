//! Whether anybody gets in when nothing of keyroster works.

use crate::break_glass::check::Verdict;
use crate::doctor::facts::Seen;
use crate::doctor::facts::break_glass::{BreakGlassFacts, File, Reach};
use crate::doctor::finding::{Finding, Rule, rules};

rules! {
    NO_WAY_IN = Error "no-way-in": "nobody gets in when keyroster does not work",
        "a fault of the host agent, of the disk or of the key server would lock everybody out of this host",
        Run "keyroster-agent break-glass add ACCOUNT --file KEY.pub";
    HOME_ONLY = Warning "no-break-glass": "only files of keys elsewhere let anybody in when keyroster does not work",
        "they go when AuthorizedKeysFile does, and the accounts themselves can change them",
        Run "keyroster-agent break-glass add ACCOUNT --file KEY.pub";
    BROKEN = Error "break-glass-broken": "a break-glass file lets nobody in",
        "it looks like a way in, and is none on the day on which it is needed",
        Judge "see what is wrong with it; keyroster-agent break-glass drill proves it";
    WEAK = Warning "break-glass-weak": "something is wrong with a break-glass file that lets somebody in",
        "it is the way in that asks nobody: it should be root's, and its keys in hardware",
        Judge "see what is wrong with it";
    UNREAD = Error "break-glass-unread": "sshd does not read the break-glass file of an account",
        "it looks like a way in, and is none on the day on which it is needed",
        Judge "put /etc/keyroster/break-glass/%u into AuthorizedKeysFile";
    BARRED = Error "break-glass-barred": "sshd keeps everybody out of an account that has a break-glass file",
        "it looks like a way in, and is none on the day on which it is needed",
        Judge "change what is named, or add the key to another account; keyroster-agent break-glass drill proves it";
}

/// The verdicts.
#[must_use]
pub fn check(facts: &Seen<BreakGlassFacts>) -> Vec<Finding> {
    let facts = match facts {
        Ok(facts) => facts,
        Err(unseen) => return vec![Finding::unseen(&NO_WAY_IN, &unseen.0)],
    };
    let mut findings = vec![ways_in(facts)];
    findings.extend(facts.files.iter().flat_map(of));
    findings
}

fn ways_in(facts: &BreakGlassFacts) -> Finding {
    let directory = facts.directory.display();
    let mut sound = facts
        .files
        .iter()
        .filter(|file| file.verdict != Verdict::Broken);
    if sound.clone().any(|file| file.reach == Reach::Open) {
        return Finding::holds(&NO_WAY_IN, "a break-glass file lets somebody in");
    }
    if let Some(path) = facts.elsewhere.first() {
        let path = path.display();
        let words = format!("no file in \"{directory}\" lets anybody in; \"{path}\" does");
        return Finding::broken(&HOME_ONLY, words);
    }
    let unknown = sound.find_map(|file| match &file.reach {
        Reach::Unknown(why) => Some((&file.account, why)),
        _ => None,
    });
    match unknown {
        Some((account, why)) => Finding::unseen(&NO_WAY_IN, format!("\"{account}\": {why}")),
        None => Finding::broken(
            &NO_WAY_IN,
            format!("no file in \"{directory}\" lets anybody in, and no other file of keys does"),
        ),
    }
}

fn of(file: &File) -> Vec<Finding> {
    let account = &file.account;
    let verdict = match file.verdict {
        Verdict::Works => Finding::holds(
            &BROKEN,
            format!("the break-glass file of \"{account}\" is as it should be"),
        ),
        Verdict::Weak => faulty(&WEAK, file),
        Verdict::Broken => faulty(&BROKEN, file),
    };
    vec![verdict, reached(file)]
}

fn faulty(rule: &'static Rule, file: &File) -> Finding {
    let faults: Vec<&str> = file.faults.iter().map(|(what, _)| what.as_str()).collect();
    let remedy = file.faults.first().map(|(_, remedy)| remedy.clone());
    let words = format!("\"{}\": {}", file.account, faults.join("; "));
    Finding::broken(rule, words).mended_by_some(remedy)
}

fn reached(file: &File) -> Finding {
    let account = &file.account;
    match &file.reach {
        Reach::Open => {
            let words = format!("sshd reads the break-glass file of \"{account}\"");
            Finding::holds(&UNREAD, words)
        }
        Reach::Unread => {
            let words = format!("AuthorizedKeysFile of \"{account}\" does not name it");
            Finding::broken(&UNREAD, words)
        }
        Reach::Barred { bar, place } => {
            let by = place.as_ref().map(|place| format!(", by {place}"));
            let by = by.unwrap_or_default();
            Finding::broken(&BARRED, format!("\"{account}\": {bar}{by}"))
        }
        Reach::Unknown(why) => Finding::unseen(&UNREAD, format!("\"{account}\": {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Bar;
    use crate::doctor::checks::testing::{broken, unseen, what_of};
    use crate::doctor::facts::Unseen;
    use crate::doctor::finding::Remedy;

    fn findings(files: &[(Verdict, Reach)], elsewhere: &[&str]) -> Vec<Finding> {
        let files = files.iter().map(|(verdict, reach)| File {
            account: "root".to_owned(),
            verdict: *verdict,
            faults: match verdict {
                Verdict::Works => Vec::new(),
                _ => vec![("it is odd".to_owned(), Remedy::judge("mend it"))],
            },
            reach: reach.clone(),
        });
        check(&Ok(BreakGlassFacts {
            directory: "/b".into(),
            files: files.collect(),
            elsewhere: elsewhere.iter().map(Into::into).collect(),
        }))
    }

    fn ids(files: &[(Verdict, Reach)], elsewhere: &[&str]) -> Vec<&'static str> {
        broken(&findings(files, elsewhere))
    }

    fn barred() -> Reach {
        Reach::Barred {
            bar: Bar::RootLogin("no"),
            place: Some("/etc/ssh/sshd_config:3".to_owned()),
        }
    }

    #[test]
    fn a_file_that_works_and_is_read_is_a_way_in() {
        assert_eq!(ids(&[(Verdict::Works, Reach::Open)], &[]), [""; 0]);
        let weak = [(Verdict::Weak, Reach::Open)];
        assert_eq!(ids(&weak, &[]), ["break-glass-weak"]);
    }

    #[test]
    fn without_any_way_in_doctor_fails() {
        assert_eq!(ids(&[], &[]), ["no-way-in"]);
        assert_eq!(
            ids(&[(Verdict::Broken, Reach::Open)], &[]),
            ["no-way-in", "break-glass-broken"]
        );
        assert_eq!(
            ids(&[(Verdict::Works, Reach::Unread)], &[]),
            ["no-way-in", "break-glass-unread"]
        );
        assert_eq!(
            ids(&[(Verdict::Works, barred())], &[]),
            ["no-way-in", "break-glass-barred"]
        );
    }

    #[test]
    fn what_keeps_everybody_out_is_told_with_its_place() {
        let findings = findings(&[(Verdict::Works, barred())], &[]);
        assert_eq!(
            what_of(&findings, "break-glass-barred"),
            "\"root\": sshd has PermitRootLogin no, by /etc/ssh/sshd_config:3"
        );
    }

    #[test]
    fn where_sshd_was_not_asked_nothing_is_a_way_in_and_nothing_is_certain() {
        let unknown = Reach::Unknown("sshd was not asked about it".to_owned());
        let alone = findings(&[(Verdict::Works, unknown.clone())], &[]);
        assert_eq!(unseen(&alone), ["no-way-in", "break-glass-unread"]);
        let broken_besides = [(Verdict::Broken, unknown.clone())];
        assert_eq!(
            ids(&broken_besides, &[]),
            ["no-way-in", "break-glass-broken"]
        );
        let open_besides = [(Verdict::Works, unknown), (Verdict::Works, Reach::Open)];
        assert_eq!(ids(&open_besides, &[]), [""; 0]);
    }

    #[test]
    fn keys_elsewhere_are_a_way_in_that_will_go() {
        assert_eq!(
            ids(&[], &["/root/.ssh/authorized_keys"]),
            ["no-break-glass"]
        );
    }

    #[test]
    fn a_directory_that_may_not_be_read_is_no_verdict() {
        assert_eq!(
            unseen(&check(&Err(Unseen::because("not root")))),
            ["no-way-in"]
        );
    }
}
