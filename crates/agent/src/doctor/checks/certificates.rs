//! How long certificates still last.

use crate::certificate::Lifetime;
use crate::doctor::finding::{Finding, rules};

rules! {
    ENDED = Error "certificate-ended": "a certificate has ended",
        "the key server and this host no longer speak: after `grace` nobody gets in by keyroster",
        Judge "enrol this host anew for its own; keyroster-server makes its own anew at its start";
    ENDING = Warning "certificate-ending": "a quarter of a certificate's life is left, and it should have been renewed by now; or half a year of the CA's",
        "when it ends, the key server and this host no longer speak",
        Run "journalctl -u keyroster-agent -n 50";
}

/// A certificate on which this host depends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is.
    pub whose: Whose,
    /// From when until when it is valid.
    pub life: Lifetime,
}

/// Whose certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// This host's: it renews it when a third of its life is left.
    Host,
    /// The key server's: it makes a new one every day.
    Server,
    /// The CA's: people replace it.
    Ca,
}

/// The verdicts.
#[must_use]
pub fn check(certificates: &[Certificate], now_s: i64) -> Vec<Finding> {
    let verdict = |Certificate { whose, life }: &Certificate| {
        let left_s = life.until_s.saturating_sub(now_s);
        let days = left_s.div_euclid(DAY_S);
        let name = whose.name();
        match left_s {
            ..=0 => Finding::broken(&ENDED, format!("{name} ended {} days ago", -days)),
            left if left <= whose.soon_s(life) => {
                Finding::broken(&ENDING, format!("{name} ends in {days} days"))
            }
            _ => Finding::holds(&ENDING, format!("{name} ends in {days} days")),
        }
    };
    certificates.iter().map(verdict).collect()
}

impl Whose {
    fn name(self) -> &'static str {
        match self {
            Self::Host => "this host's certificate",
            Self::Server => "the key server's certificate",
            Self::Ca => "the CA's certificate",
        }
    }

    /// Seconds before the end from which on something is wrong. Of a CA's ten years a quarter would be spoken of for too long.
    fn soon_s(self, life: &Lifetime) -> i64 {
        let quarter = life.until_s.saturating_sub(life.from_s) / PART_LEFT;
        match self {
            Self::Host | Self::Server => quarter,
            Self::Ca => quarter.min(CA_SOON_S),
        }
    }
}

const DAY_S: i64 = 24 * 60 * 60;
/// Which part of its life is left when a certificate should have been renewed: less than the third at which the host agent begins.
const PART_LEFT: i64 = 4;
const CA_SOON_S: i64 = 180 * DAY_S;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::broken;

    const NOW_S: i64 = 1_800_000_000;

    fn ids(whose: Whose, days: i64, left: i64) -> Vec<&'static str> {
        let until_s = NOW_S + left * DAY_S;
        let life = Lifetime {
            from_s: until_s - days * DAY_S,
            until_s,
        };
        broken(&check(&[Certificate { whose, life }], NOW_S))
    }

    #[test]
    fn a_certificate_is_told_of_when_a_quarter_of_its_own_life_is_left() {
        for whose in [Whose::Host, Whose::Server] {
            assert_eq!(ids(whose, 90, 29), [""; 0], "being renewed");
            assert_eq!(ids(whose, 90, 23), [""; 0]);
            assert_eq!(ids(whose, 90, 22), ["certificate-ending"]);
            assert_eq!(ids(whose, 8, 3), [""; 0]);
            assert_eq!(ids(whose, 8, 2), ["certificate-ending"]);
            assert_eq!(ids(whose, 90, 0), ["certificate-ended"]);
            assert_eq!(ids(whose, 90, -4), ["certificate-ended"]);
        }
    }

    #[test]
    fn a_host_that_renews_in_time_hears_nothing() {
        let life = Lifetime {
            from_s: 0,
            until_s: 90 * DAY_S,
        };
        let due = (0..).find(|now_s| life.is_due(now_s * DAY_S)).unwrap();
        let last_sound = 90 - due;
        assert_eq!(ids(Whose::Host, 90, last_sound), [""; 0]);
    }

    #[test]
    fn a_ca_is_spoken_of_half_a_year_before() {
        assert_eq!(ids(Whose::Ca, 3650, 170), ["certificate-ending"]);
        assert_eq!(ids(Whose::Ca, 3650, 200), [""; 0]);
        assert_eq!(ids(Whose::Ca, 100, 26), [""; 0]);
    }
}
