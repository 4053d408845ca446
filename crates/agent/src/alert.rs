//! The one failure that somebody has to look at: the key server's roster went back in time.
//!
//! Everything else that goes wrong mends itself or ends at its bound. This does not: a database was put back without
//! `keyroster-server restore`, and every host that keeps what it holds will run into its grace. So it is an error in the log, once and
//! not at each question, and a finding of its own in `status` until the roster is one that can be followed.

use crate::core::accept::Refusal;
use crate::core::knowledge::{Failure, Outcome};
use crate::shared::Shared;

/// Looks at what asking came to.
pub fn watch(shared: &Shared, outcome: &Outcome) {
    match outcome {
        Outcome::Failed(Failure::Unacceptable(refusal @ Refusal::WentBack { .. })) => {
            let alert = format!("the key server's roster went back: {refusal}");
            let before = shared.health(|health| health.alert.replace(alert.clone()));
            if before.is_none() {
                tracing::error!(
                    alert,
                    "what is held is kept; was a backup put in place without `keyroster-server restore`?"
                );
            }
        }
        Outcome::Failed(_) => {}
        Outcome::Accepted { .. } | Outcome::NotModified { .. } | Outcome::Refused { .. } => {
            if shared.health(|health| health.alert.take()).is_some() {
                tracing::info!("the key server's roster is one that this host follows again");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::knowledge::Knowledge;
    use crate::testing::{TestClock, tag};

    fn shared() -> Shared {
        Shared::new(Box::new(TestClock::new()), Knowledge::nothing(tag(1, 10))).0
    }

    fn went_back() -> Outcome {
        Outcome::Failed(Failure::Unacceptable(Refusal::WentBack {
            offered: tag(1, 5),
            seen: tag(1, 10),
        }))
    }

    fn alert(shared: &Shared) -> Option<String> {
        shared.health(|health| health.alert.clone())
    }

    #[test]
    fn a_roster_that_went_back_is_an_alert_until_it_can_be_followed_again() {
        let shared = shared();
        watch(&shared, &went_back());
        assert!(
            alert(&shared).is_some_and(|alert| alert.contains("1.5") && alert.contains("1.10"))
        );
        watch(&shared, &Outcome::Failed(Failure::Status(503)));
        assert!(alert(&shared).is_some(), "an outage says nothing about it");
        watch(
            &shared,
            &Outcome::NotModified {
                server_time_s: 1_000_000,
            },
        );
        assert_eq!(alert(&shared), None);
    }

    #[test]
    fn an_ordinary_failure_is_no_alert() {
        let shared = shared();
        watch(&shared, &Outcome::Failed(Failure::Status(503)));
        assert_eq!(alert(&shared), None);
    }
}
