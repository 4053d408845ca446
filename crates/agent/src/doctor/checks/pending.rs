//! A change of sshd's configuration that waits for its first login.

use crate::doctor::facts::Seen;
use crate::doctor::finding::{Finding, rules};
use crate::spans::span;

rules! {
    WAITS = Note "change-waits": "`enable` waits for the first login",
        "unless somebody logs in, the change is taken back by itself",
        Run "keyroster-agent enable --confirm";
    OVERDUE = Warning "change-overdue": "`enable` waited for a first login, its time is over, and nothing took the change back",
        "sshd has a configuration that nobody confirmed",
        Run "keyroster-agent enable --finish";
}

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Nothing.
    Nothing,
    /// A change that is taken back after so many seconds.
    Until(u64),
    /// A change that stays without a login.
    Open,
    /// A change whose time is over.
    Overdue,
}

/// The verdict.
#[must_use]
pub fn check(pending: &Seen<Pending>) -> Finding {
    match pending {
        Err(unseen) => Finding::unseen(&WAITS, &unseen.0),
        Ok(Pending::Nothing) => Finding::holds(&WAITS, "no change waits for its first login"),
        Ok(Pending::Until(left_s)) => Finding::broken(
            &WAITS,
            format!(
                "a change is taken back in {} unless somebody logs in",
                span(*left_s)
            ),
        ),
        Ok(Pending::Open) => Finding::broken(
            &WAITS,
            "a change waits for its first login, for as long as it takes",
        ),
        Ok(Pending::Overdue) => Finding::broken(
            &OVERDUE,
            "the time of a change that nobody confirmed is over",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{broken, unseen};
    use crate::doctor::facts::Unseen;

    #[test]
    fn a_change_that_waits_is_a_note_and_one_that_was_forgotten_a_warning() {
        for (pending, ids) in [
            (Pending::Nothing, vec![]),
            (Pending::Until(90), vec!["change-waits"]),
            (Pending::Open, vec!["change-waits"]),
            (Pending::Overdue, vec!["change-overdue"]),
        ] {
            assert_eq!(broken(&[check(&Ok(pending))]), ids, "{pending:?}");
        }
    }

    #[test]
    fn records_that_may_not_be_read_are_no_verdict() {
        assert_eq!(
            unseen(&[check(&Err(Unseen::because("not root")))]),
            ["change-waits"]
        );
    }
}
