//! How long certificates still last.

use crate::doctor::finding::{Finding, rules};

rules! {
    ENDED = Error "certificate-ended": "a certificate has ended",
        "the key server and this host no longer speak: after `grace` nobody gets in by keyroster",
        "enrol this host anew for its own; keyroster-server makes its own anew at its start";
    ENDING = Warning "certificate-ending": "a certificate ends soon, and should have been renewed by now",
        "when it ends, the key server and this host no longer speak",
        "journalctl -u keyroster-agent says why it was not renewed; for the CA see the admin's guide on its rotation";
}

/// The verdicts on certificates by name, with the second in which each ends.
#[must_use]
pub fn check(certificates: &[(&str, i64)], now_s: i64) -> Vec<Finding> {
    let verdict = |(name, until_s): &(&str, i64)| {
        let left_s = until_s.saturating_sub(now_s);
        let days = left_s.div_euclid(DAY_S);
        match left_s {
            ..=0 => Finding::broken(&ENDED, format!("{name} ended {} days ago", -days)),
            left if left < soon(name) => {
                Finding::broken(&ENDING, format!("{name} ends in {days} days"))
            }
            _ => Finding::holds(&ENDING, format!("{name} ends in {days} days")),
        }
    };
    certificates.iter().map(verdict).collect()
}

/// A host renews its certificate when a third of its life is left, a CA is replaced by people.
fn soon(name: &str) -> i64 {
    if name.contains("CA") {
        CA_SOON_S
    } else {
        SOON_S
    }
}

const DAY_S: i64 = 24 * 60 * 60;
const SOON_S: i64 = 3 * DAY_S;
const CA_SOON_S: i64 = 180 * DAY_S;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::broken;

    fn ids(name: &str, days: i64) -> Vec<&'static str> {
        broken(&check(&[(name, 1_000_000 + days * DAY_S)], 1_000_000))
    }

    #[test]
    fn a_certificate_is_sound_ends_soon_or_has_ended() {
        assert_eq!(ids("this host's certificate", 20), [""; 0]);
        assert_eq!(ids("this host's certificate", 2), ["certificate-ending"]);
        assert_eq!(ids("this host's certificate", 0), ["certificate-ended"]);
        assert_eq!(ids("this host's certificate", -4), ["certificate-ended"]);
    }

    #[test]
    fn a_ca_is_spoken_of_half_a_year_before() {
        assert_eq!(ids("the CA's certificate", 170), ["certificate-ending"]);
        assert_eq!(ids("the CA's certificate", 200), [""; 0]);
    }
}
