//! `RevokedKeys`: the file without which nobody gets in.

use std::path::{Path, PathBuf};

use crate::doctor::facts::Seen;
use crate::doctor::facts::files::{KeyList, ListState};
use crate::doctor::facts::sshd::SshdFacts;
use crate::doctor::finding::{Finding, rules};

rules! {
    MISSING = Error "revoked-keys-missing": "the file of RevokedKeys is not there",
        "sshd then refuses EVERY key of everybody, break-glass keys too",
        Judge "set revoked-keys in /etc/keyroster/agent.toml to that path and restart keyroster-agent, or take RevokedKeys away";
    DAMAGED = Error "revoked-keys-damaged": "the file of RevokedKeys can't be read as a list",
        "sshd then refuses EVERY key of everybody, break-glass keys too",
        Judge "restart keyroster-agent, which writes its own list anew; or take RevokedKeys away";
    ELSEWHERE = Warning "revoked-keys-elsewhere": "the host agent keeps a list that sshd does not read",
        "revoked keys in home directories and in certificates still let people in",
        Judge "RevokedKeys with the path of revoked-keys in /etc/keyroster/agent.toml";
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts, kept: Option<&Path>, lists: &Seen<Vec<KeyList>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    match lists {
        Err(unseen) => findings.push(Finding::unseen(&MISSING, &unseen.0)),
        Ok(lists) => findings.extend(lists.iter().map(of_list)),
    }
    let used = paths(facts);
    if let Some(kept) = kept.filter(|_| !facts.logins.is_empty()) {
        let unread = !used.iter().any(|path| path == kept);
        let words = unread.then(|| format!("RevokedKeys does not name \"{}\"", kept.display()));
        findings.push(Finding::judge(
            &ELSEWHERE,
            words,
            "sshd reads the list that the host agent keeps",
        ));
    }
    findings
}

fn of_list(list: &KeyList) -> Finding {
    let path = list.path.display();
    match &list.state {
        ListState::Missing => Finding::broken(
            &MISSING,
            format!("RevokedKeys names \"{path}\", which is not there"),
        ),
        ListState::Damaged(why) => Finding::broken(&DAMAGED, format!("\"{path}\": {why}")),
        ListState::Readable => Finding::holds(&MISSING, format!("\"{path}\" is a list of keys")),
    }
}

/// The files that are in effect for anybody.
#[must_use]
pub fn paths(facts: &SshdFacts) -> Vec<PathBuf> {
    let values = facts
        .logins
        .iter()
        .filter_map(|asked| asked.effective.set("RevokedKeys"));
    let mut paths: Vec<PathBuf> = values.map(PathBuf::from).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{asked, broken, unseen};
    use crate::doctor::facts::Unseen;

    fn ids(said: &str, kept: Option<&str>, state: ListState) -> Vec<&'static str> {
        let facts = asked(&[("deploy", said)], "");
        let lists = paths(&facts)
            .into_iter()
            .map(|path| KeyList {
                path,
                state: state.clone(),
            })
            .collect();
        broken(&check(&facts, kept.map(Path::new), &Ok(lists)))
    }

    #[test]
    fn a_list_that_sshd_can_read_and_that_the_host_agent_keeps_is_fine() {
        assert_eq!(
            ids("revokedkeys /a\n", Some("/a"), ListState::Readable),
            [""; 0]
        );
        assert_eq!(
            ids("revokedkeys none\n", None, ListState::Readable),
            [""; 0]
        );
    }

    #[test]
    fn a_list_that_is_missing_or_damaged_keeps_everybody_out() {
        assert_eq!(
            ids("revokedkeys /a\n", None, ListState::Missing),
            ["revoked-keys-missing"]
        );
        assert_eq!(
            ids(
                "revokedkeys /a\n",
                None,
                ListState::Damaged("bad".to_owned())
            ),
            ["revoked-keys-damaged"]
        );
    }

    #[test]
    fn a_list_that_is_kept_and_not_read_is_told() {
        assert_eq!(
            ids("revokedkeys none\n", Some("/a"), ListState::Readable),
            ["revoked-keys-elsewhere"]
        );
        assert_eq!(
            ids("revokedkeys /b\n", Some("/a"), ListState::Readable),
            ["revoked-keys-elsewhere"]
        );
    }

    #[test]
    fn a_list_that_could_not_be_looked_at_is_no_verdict() {
        let facts = asked(&[("deploy", "revokedkeys /a\n")], "");
        let findings = check(&facts, None, &Err(Unseen::because("not root")));
        assert_eq!(unseen(&findings), ["revoked-keys-missing"]);
    }
}
