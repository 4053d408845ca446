//! The clock, by which ends of grants are judged while the key server is away.

use crate::doctor::facts::Seen;
use crate::doctor::finding::{Finding, rules};
use crate::spans::span;

rules! {
    SKEW = Warning "clock-skew": "this host's clock and the key server's differ by more than a minute",
        "ends of grants come too late or too early while the key server is away, and certificates may seem ended",
        Run "timedatectl set-ntp true";
    UNSYNCHRONISED = Warning "clock-unsynchronised": "nothing keeps this host's clock in step",
        "it drifts, and a machine that wakes up with an old time answers nobody until it has asked",
        Run "timedatectl set-ntp true";
}

/// The verdicts: `ahead_s` is the key server's time less ours when they last spoke.
#[must_use]
pub fn check(ahead_s: Option<i64>, synchronised: &Seen<Option<bool>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(ahead) = ahead_s {
        let apart = ahead.unsigned_abs();
        let which = if ahead > 0 { "behind" } else { "ahead of" };
        let skew = (apart > MOST_S).then(|| {
            format!(
                "this host's clock is {} {which} the key server's",
                span(apart)
            )
        });
        findings.push(Finding::judge(
            &SKEW,
            skew,
            "the clocks agree within a minute",
        ));
    }
    match synchronised {
        Ok(None) => {}
        Ok(Some(true)) => {
            findings.push(Finding::holds(&UNSYNCHRONISED, "the clock is kept in step"))
        }
        Ok(Some(false)) => findings.push(Finding::broken(
            &UNSYNCHRONISED,
            "systemd says that the clock is not synchronised",
        )),
        Err(unseen) => findings.push(Finding::unseen(&UNSYNCHRONISED, &unseen.0)),
    }
    findings
}

const MOST_S: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::broken;

    #[test]
    fn clocks_may_differ_by_a_minute_and_no_more() {
        for (ahead, ids) in [
            (Some(60), vec![]),
            (Some(61), vec!["clock-skew"]),
            (Some(-61), vec!["clock-skew"]),
            (None, vec![]),
        ] {
            assert_eq!(broken(&check(ahead, &Ok(None))), ids, "{ahead:?}");
        }
    }

    #[test]
    fn a_clock_that_nothing_keeps_in_step_is_told_where_somebody_knows() {
        assert_eq!(
            broken(&check(None, &Ok(Some(false)))),
            ["clock-unsynchronised"]
        );
        assert_eq!(broken(&check(None, &Ok(Some(true)))), [""; 0]);
        assert_eq!(broken(&check(None, &Ok(None))), [""; 0]);
    }
}
