//! What is held, how old it is, and whether it can be believed.

use std::collections::BTreeMap;

use crate::doctor::facts::Seen;
use crate::doctor::facts::agent::{DiskFacts, SocketFact};
use crate::doctor::finding::{Finding, rules};
use crate::spans::span;

rules! {
    NOT_ENROLLED = Warning "not-enrolled": "this host is not enrolled",
        "it has no credential, so the key server tells it nothing",
        Judge "keyroster host enroll-token --group GROUP (on your machine), then keyroster-agent enroll --token-file - (here)";
    REFUSED = Error "host-refused": "the key server says that this host is out",
        "nobody gets in by keyroster, whatever is held",
        Judge "keyroster host list (shows its state); enrol it anew if that was a mistake";
    STALE = Warning "snapshot-stale": "what is held is older than the bound for fresh answers",
        "each login asks again first, and after `grace` nobody gets in; in mode `strict` nobody does now",
        Judge "look at the findings about the key server";
    PAST = Error "snapshot-past": "nothing is held, or what is held is too old to answer from",
        "every login is answered \"unavailable\": nobody gets in by keyroster",
        Judge "look at the findings about the key server, the clock and the disk";
    DOUBTED = Error "snapshot-doubted": "something in the state directory is not believed",
        "a signature, an owner or a digest is wrong: the disk fails, or somebody wrote there",
        Run "systemctl restart keyroster-agent";
    BEHIND = Warning "snapshot-behind": "the host agent answers from something else than what lies on its disk",
        "after a restart it would know less than now",
        Judge "look at df and mount for the state directory, and at journalctl -u keyroster-agent";
    WENT_BACK = Error "went-back": "the key server's roster went back in time",
        "a backup was put in place without `keyroster-server restore`: this host keeps what it holds, and runs into its grace",
        Judge "follow docs/restore.md on the key server";
    TROUBLE = Warning "agent-trouble": "the host agent says that something goes wrong",
        "it answers from what it holds, and is on its way to a bound",
        Run "journalctl -u keyroster-agent -n 50";
}

/// The verdicts.
#[must_use]
pub fn check(disk: &Seen<DiskFacts>, socket: &Seen<SocketFact>) -> Vec<Finding> {
    let said = match socket {
        Ok(SocketFact::Served(served)) => served.said.as_ref(),
        _ => None,
    };
    let disk = match disk {
        Ok(disk) => disk,
        Err(unseen) => {
            let mut findings = vec![Finding::unseen(&DOUBTED, &unseen.0)];
            findings.extend(said.into_iter().flat_map(standing));
            return findings;
        }
    };
    if !disk.enrolled {
        return vec![Finding::broken(
            &NOT_ENROLLED,
            "there is no credential in the state directory",
        )];
    }
    let doubts = (!disk.doubts.is_empty()).then(|| disk.doubts.join("; "));
    let mut findings = vec![
        Finding::holds(&NOT_ENROLLED, "this host is enrolled"),
        Finding::judge(&DOUBTED, doubts, "what is on the disk is signed and whole"),
    ];
    findings.extend(standing(said.unwrap_or(&disk.report)));
    if let Some(said) = said {
        findings.push(Finding::judge(
            &BEHIND,
            behind(said, &disk.report),
            "the disk has what the host agent answers from",
        ));
    }
    findings
}

fn standing(report: &BTreeMap<String, String>) -> Vec<Finding> {
    let field = |name: &str| report.get(name).map(String::as_str);
    let state = field("state").unwrap_or_default();
    let age = match field("staleness_ms").and_then(|ms| ms.parse::<u64>().ok()) {
        Some(ms) => format!("{state}: last confirmed {} ago", span(ms / 1000)),
        None => state.to_owned(),
    };
    let is_in = |states: &[&str]| states.contains(&state).then(|| age.clone());
    let trouble: Vec<String> = TROUBLES
        .iter()
        .filter_map(|name| Some(format!("{name}: {}", field(name)?)))
        .collect();
    vec![
        Finding::judge(
            &REFUSED,
            is_in(&["refused"]),
            "the key server knows this host",
        ),
        Finding::judge(&STALE, is_in(&["within-grace", "strictly-stale"]), &age),
        Finding::judge(
            &PAST,
            is_in(&["past-grace", "age-unknown", "nothing-held"]),
            &age,
        ),
        Finding::judge(
            &WENT_BACK,
            field("alert").map(str::to_owned),
            "the roster went only forward",
        ),
        Finding::judge(
            &TROUBLE,
            (!trouble.is_empty()).then(|| trouble.join("; ")),
            "the host agent has nothing to complain about",
        ),
    ]
}

/// An older disk than the memory; that a newer one lies there for a moment is ordinary.
fn behind(said: &BTreeMap<String, String>, disk: &BTreeMap<String, String>) -> Option<String> {
    let tag = |report: &BTreeMap<String, String>| {
        let number = |name: &str| report.get(name)?.parse::<u64>().ok();
        Some((number("epoch")?, number("revision")?))
    };
    let (memory, disk) = (tag(said)?, tag(disk));
    let text = |tag: Option<(u64, u64)>| {
        tag.map_or("nothing".to_owned(), |(epoch, revision)| {
            format!("{epoch}.{revision}")
        })
    };
    (disk < Some(memory)).then(|| {
        format!(
            "it answers from {}, on the disk is {}",
            text(Some(memory)),
            text(disk)
        )
    })
}

const TROUBLES: [&str; 4] = [
    "fetch_error",
    "disk_error",
    "renewal_error",
    "revoked_keys_error",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{broken, unseen, what_of};
    use crate::doctor::facts::Unseen;
    use crate::doctor::facts::agent::Served;

    fn table(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn disk(pairs: &[(&str, &str)]) -> Seen<DiskFacts> {
        Ok(DiskFacts {
            enrolled: true,
            report: table(pairs),
            ..DiskFacts::default()
        })
    }

    fn agent(pairs: &[(&str, &str)]) -> Seen<SocketFact> {
        Ok(SocketFact::Served(Served {
            path: "/s".into(),
            owner: 0,
            directory: (0, 0o755),
            peer: 0,
            said: Some(table(pairs)),
        }))
    }

    const FRESH: &[(&str, &str)] = &[
        ("state", "fresh"),
        ("staleness_ms", "1200"),
        ("epoch", "1"),
        ("revision", "9"),
    ];

    #[test]
    fn fresh_and_signed_is_fine() {
        assert_eq!(broken(&check(&disk(FRESH), &agent(FRESH))), [""; 0]);
    }

    #[test]
    fn each_standing_has_its_verdict() {
        for (state, id) in [
            ("within-grace", "snapshot-stale"),
            ("strictly-stale", "snapshot-stale"),
            ("past-grace", "snapshot-past"),
            ("age-unknown", "snapshot-past"),
            ("nothing-held", "snapshot-past"),
            ("refused", "host-refused"),
        ] {
            let pairs = [("state", state), ("staleness_ms", "90000")];
            assert_eq!(
                broken(&check(&disk(&pairs), &Ok(SocketFact::Missing("/s".into())))),
                [id]
            );
            let findings = check(&disk(FRESH), &agent(&pairs));
            assert_eq!(broken(&findings), [id], "the daemon's word counts");
            assert!(what_of(&findings, id).contains("90 s ago"));
        }
    }

    #[test]
    fn what_is_not_believed_is_an_error_in_its_own_words() {
        let doubted = disk(FRESH).map(|disk| DiskFacts {
            doubts: vec!["the snapshot on disk is refused: bad signature".to_owned()],
            ..disk
        });
        let findings = check(&doubted, &agent(FRESH));
        assert_eq!(broken(&findings), ["snapshot-doubted"]);
        assert!(what_of(&findings, "snapshot-doubted").contains("bad signature"));
    }

    #[test]
    fn a_memory_ahead_of_the_disk_is_told_and_the_other_way_round_is_ordinary() {
        let older: Vec<_> = [("revision", "8")]
            .iter()
            .chain(FRESH.iter().filter(|it| it.0 != "revision"))
            .copied()
            .collect();
        assert_eq!(
            broken(&check(&disk(&older), &agent(FRESH))),
            ["snapshot-behind"]
        );
        assert_eq!(broken(&check(&disk(FRESH), &agent(&older))), [""; 0]);
        assert_eq!(
            broken(&check(&disk(&[]), &agent(FRESH))),
            ["snapshot-behind"]
        );
    }

    #[test]
    fn alerts_and_errors_of_the_host_agent_are_told() {
        let alert: Vec<_> = [("alert", "1.5 after 1.10")]
            .iter()
            .chain(FRESH)
            .copied()
            .collect();
        assert_eq!(broken(&check(&disk(FRESH), &agent(&alert))), ["went-back"]);
        let trouble: Vec<_> = [("fetch_error", "timeout")]
            .iter()
            .chain(FRESH)
            .copied()
            .collect();
        assert_eq!(
            broken(&check(&disk(FRESH), &agent(&trouble))),
            ["agent-trouble"]
        );
    }

    #[test]
    fn a_host_that_is_not_enrolled_has_this_one_finding() {
        let findings = check(
            &Ok(DiskFacts::default()),
            &Ok(SocketFact::Missing("/s".into())),
        );
        assert_eq!(broken(&findings), ["not-enrolled"]);
    }

    #[test]
    fn a_disk_that_may_not_be_read_is_no_verdict_and_the_daemons_word_still_counts() {
        let findings = check(
            &Err(Unseen::because("permission denied")),
            &agent(&[("state", "refused")]),
        );
        assert_eq!(
            (unseen(&findings), broken(&findings)),
            (vec!["snapshot-doubted"], vec!["host-refused"])
        );
    }
}
