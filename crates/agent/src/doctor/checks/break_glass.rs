//! Whether anybody gets in when nothing of keyroster works.

use crate::break_glass::check::Verdict;
use crate::doctor::facts::Seen;
use crate::doctor::facts::break_glass::{BreakGlassFacts, File};
use crate::doctor::finding::{Finding, rules};

rules! {
    NO_WAY_IN = Error "no-way-in": "nobody gets in when keyroster does not work",
        "a fault of the host agent, of the disk or of the key server would lock everybody out of this host",
        "keyroster-agent break-glass add ACCOUNT --file KEY.pub, then keyroster-agent break-glass drill";
    HOME_ONLY = Warning "no-break-glass": "only files of keys elsewhere let anybody in when keyroster does not work",
        "they go when AuthorizedKeysFile does, and the accounts themselves can change them",
        "keyroster-agent break-glass add ACCOUNT --file KEY.pub, before AuthorizedKeysFile is set to the break-glass path";
    BROKEN = Error "break-glass-broken": "a break-glass file lets nobody in",
        "it looks like a way in, and is none on the day on which it is needed",
        "see what is wrong with it; keyroster-agent break-glass drill proves it";
    WEAK = Warning "break-glass-weak": "something is wrong with a break-glass file that lets somebody in",
        "it is the way in that asks nobody: it should be root's, and its keys in hardware",
        "see what is wrong with it";
    UNREAD = Error "break-glass-unread": "sshd does not read the break-glass file of an account",
        "it looks like a way in, and is none on the day on which it is needed",
        "put /etc/keyroster/break-glass/%u into AuthorizedKeysFile";
}

/// The verdicts.
#[must_use]
pub fn check(facts: &Seen<BreakGlassFacts>) -> Vec<Finding> {
    let facts = match facts {
        Ok(facts) => facts,
        Err(unseen) => return vec![Finding::unseen(&NO_WAY_IN, &unseen.0)],
    };
    let mut findings = Vec::new();
    let works = facts
        .files
        .iter()
        .any(|file| file.read && file.verdict != Verdict::Broken);
    let directory = facts.directory.display();
    findings.push(match (works, facts.elsewhere.first()) {
        (true, _) => Finding::holds(&NO_WAY_IN, "a break-glass file lets somebody in"),
        (false, Some(path)) => Finding::broken(
            &HOME_ONLY,
            format!(
                "no file in \"{directory}\" lets anybody in; \"{}\" does",
                path.display()
            ),
        ),
        (false, None) => Finding::broken(
            &NO_WAY_IN,
            format!("no file in \"{directory}\" lets anybody in, and no other file of keys does"),
        ),
    });
    findings.extend(facts.files.iter().flat_map(of));
    findings
}

fn of(file: &File) -> Vec<Finding> {
    let account = &file.account;
    let rule = match file.verdict {
        Verdict::Works => None,
        Verdict::Weak => Some(&WEAK),
        Verdict::Broken => Some(&BROKEN),
    };
    let mut findings = Vec::new();
    match rule {
        None => findings.push(Finding::holds(
            &BROKEN,
            format!("the break-glass file of \"{account}\" is as it should be"),
        )),
        Some(rule) => {
            let faults: Vec<&str> = file.faults.iter().map(|(what, _)| what.as_str()).collect();
            let hint = file
                .faults
                .first()
                .map_or(rule.mend, |(_, hint)| hint.as_str());
            findings.push(
                Finding::broken(rule, format!("\"{account}\": {}", faults.join("; ")))
                    .mended_by(hint),
            );
        }
    }
    let unread =
        (!file.read).then(|| format!("AuthorizedKeysFile of \"{account}\" does not name it"));
    findings.push(Finding::judge(
        &UNREAD,
        unread,
        &format!("sshd reads the break-glass file of \"{account}\""),
    ));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{broken, unseen};
    use crate::doctor::facts::Unseen;

    fn ids(files: &[(Verdict, bool)], elsewhere: &[&str]) -> Vec<&'static str> {
        let files = files.iter().map(|(verdict, read)| File {
            account: "root".to_owned(),
            verdict: *verdict,
            faults: match verdict {
                Verdict::Works => Vec::new(),
                _ => vec![("it is odd".to_owned(), "mend it".to_owned())],
            },
            read: *read,
        });
        broken(&check(&Ok(BreakGlassFacts {
            directory: "/b".into(),
            files: files.collect(),
            elsewhere: elsewhere.iter().map(Into::into).collect(),
        })))
    }

    #[test]
    fn a_file_that_works_and_is_read_is_a_way_in() {
        assert_eq!(ids(&[(Verdict::Works, true)], &[]), [""; 0]);
        assert_eq!(ids(&[(Verdict::Weak, true)], &[]), ["break-glass-weak"]);
    }

    #[test]
    fn without_any_way_in_doctor_fails() {
        assert_eq!(ids(&[], &[]), ["no-way-in"]);
        assert_eq!(
            ids(&[(Verdict::Broken, true)], &[]),
            ["no-way-in", "break-glass-broken"]
        );
        assert_eq!(
            ids(&[(Verdict::Works, false)], &[]),
            ["no-way-in", "break-glass-unread"]
        );
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
