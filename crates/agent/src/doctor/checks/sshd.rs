//! Whether there is an sshd whose word can be had.

use crate::doctor::facts::sshd::SshdFacts;
use crate::doctor::finding::{Finding, rules};

rules! {
    SSHD_BROKEN = Error "sshd-broken": "`sshd -t` refuses the configuration",
        "sshd does not come back after a restart or a reload, and nothing else here can be told",
        Judge "mend the line that is named, then sshd -t";
    SSHD_AWAY = Warning "sshd-away": "no sshd listens with this configuration",
        "nobody can log in; what `-o` on its command line sets can't be seen either",
        Run "systemctl start ssh";
    LOGINS_MANY = Note "logins-many": "sshd was asked neither about some granted accounts nor about their like",
        "what is said about sshd is about the others: there are more than 200 combinations of `Match` blocks, or the name services don't tell groups",
        Judge "ask sshd -T -C user=NAME,host=HOST,addr=ADDRESS about one that matters";
    SSHD_OLD = Warning "sshd-old": "OpenSSH is older than 8.4",
        "keyroster is tried with 8.4 and later: the time zone of ends, the order of sources and the padding of answers differ before",
        Run "apt-get install --only-upgrade openssh-server";
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts) -> Vec<Finding> {
    let config = facts.config.display();
    let broken = facts.broken.as_ref().map(|why| format!("sshd -t: {why}"));
    let away = format!("no sshd listens with \"{config}\"");
    let old = format!(
        "\"{}\" is OpenSSH {}",
        facts.program.display(),
        facts.version
    );
    let many = (facts.unasked > 0).then(|| {
        format!(
            "sshd was not asked about {} granted accounts",
            facts.unasked
        )
    });
    vec![
        Finding::judge(
            &LOGINS_MANY,
            many,
            "sshd was asked about every granted account",
        ),
        Finding::judge(&SSHD_BROKEN, broken, &format!("sshd can read \"{config}\"")),
        Finding::judge(
            &SSHD_AWAY,
            (!facts.listens).then_some(away),
            &format!("an sshd listens with \"{config}\""),
        ),
        Finding::judge(
            &SSHD_OLD,
            (facts.version < OLDEST).then(|| old.clone()),
            &old,
        ),
    ]
}

const OLDEST: keyroster_sshd::Version = keyroster_sshd::Version::new(8, 4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{SSHD, broken, sshd};

    #[test]
    fn an_sshd_that_listens_with_a_sound_configuration_is_fine() {
        assert_eq!(broken(&check(&sshd(&[], SSHD))), [""; 0]);
    }

    #[test]
    fn a_broken_configuration_a_missing_sshd_and_an_old_one_are_told() {
        let mut facts = sshd(&[], SSHD);
        facts.broken = Some("line 3: Bad configuration option".to_owned());
        facts.listens = false;
        facts.version = keyroster_sshd::Version::new(8, 2);
        let findings = check(&facts);
        assert_eq!(broken(&findings), ["sshd-broken", "sshd-away", "sshd-old"]);
        facts.unasked = 7;
        assert!(broken(&check(&facts)).contains(&"logins-many"));
        assert!(findings.iter().any(|it| it.what.contains("line 3")));
    }
}
