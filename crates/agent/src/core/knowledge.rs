//! What the host agent knows, and how each outcome of asking changes it.

use std::sync::Arc;

use keyroster_api::heartbeat::HeartbeatError;
use keyroster_api::snapshot::Tag;

use crate::core::accept::Refusal;
use crate::core::freshness::Confirmation;
use crate::core::held::Held;
use crate::core::moment::Moment;

/// Everything that answers depend on. It is replaced as a whole and never changed in place.
#[derive(Debug, Clone)]
pub struct Knowledge {
    /// The last good snapshot.
    pub held: Option<Arc<Held>>,
    /// When the key server last vouched for it, or refused this host.
    pub confirmed: Option<Confirmation>,
    /// The status with which the key server said that this host is out. It beats everything that is held.
    pub refused: Option<u16>,
    /// The highest epoch and revision ever seen.
    pub seen: Tag,
}

/// What asking the key server came to.
#[derive(Debug)]
pub enum Outcome {
    /// A snapshot that was accepted.
    Accepted {
        /// The snapshot.
        held: Arc<Held>,
        /// The key server's time, in seconds since the Unix epoch.
        server_time_s: i64,
    },
    /// What is held is what there is.
    NotModified {
        /// The key server's time, in seconds since the Unix epoch.
        server_time_s: i64,
    },
    /// An authoritative no: this host is out.
    Refused {
        /// 401, 403, 404 or 410.
        status: u16,
    },
    /// Nothing was decided.
    Failed(Failure),
}

/// Why nothing was decided. What is held serves by its age.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No answer, or not a whole one: name, connection, TLS, deadline, size.
    #[error("no usable answer: {0}")]
    Transport(String),
    /// A status that decides nothing: 429, 5xx, redirects and whatever else.
    #[error("the key server answered {0}")]
    Status(u16),
    /// A success that isn't a snapshot, for example a web page.
    #[error("the answer is not a snapshot but \"{0}\"")]
    NotASnapshot(String),
    /// A snapshot or an update that may not be used.
    #[error("what came is refused: {0}")]
    Unacceptable(#[from] Refusal),
    /// An update that may not be used; the whole snapshot was asked for at once, and did not come.
    #[error("an update can't be used: {0}")]
    Update(Box<Failure>),
    /// A success, and nothing that says that it answers this question.
    #[error("nobody vouches for the answer: {0}")]
    Unvouched(#[from] HeartbeatError),
    /// A success that is about something else than its heartbeat.
    #[error("the key server vouches for {}.{} and answers with {}.{}", vouched.epoch.get(), vouched.revision.get(), answered.epoch.get(), answered.revision.get())]
    Contradiction {
        /// What the heartbeat names.
        vouched: Tag,
        /// What came, or was named by the host.
        answered: Tag,
    },
}

impl Knowledge {
    /// What a host knows that holds nothing yet.
    #[must_use]
    pub fn nothing(seen: Tag) -> Self {
        Self {
            held: None,
            confirmed: None,
            refused: None,
            seen,
        }
    }

    /// What is known after asking at `sent` came to `outcome`.
    ///
    /// Answers may arrive in another order than their questions left in, and more than once. One that was overtaken by the
    /// answer to a later question takes nothing back: it counts only if it is a refusal.
    #[must_use]
    pub fn after(&self, outcome: &Outcome, sent: &Moment) -> Self {
        let overtaken = self.confirmed.filter(|known| known.overtakes(sent));
        match outcome {
            Outcome::Refused { status } => Self {
                confirmed: overtaken.or(Some(Confirmation::at(sent, self.newest_time_s()))),
                refused: Some(*status),
                ..self.clone()
            },
            Outcome::Failed(_) => self.clone(),
            _ if overtaken.is_some() => self.clone(),
            // Something newer came while it was on its way.
            Outcome::Accepted { held, .. } if held.tag() < self.seen => self.clone(),
            Outcome::Accepted {
                held,
                server_time_s,
            } => Self {
                confirmed: Some(Confirmation::at(sent, *server_time_s)),
                refused: None,
                seen: held.tag(),
                held: Some(Arc::clone(held)),
            },
            Outcome::NotModified { server_time_s } => Self {
                confirmed: Some(Confirmation::at(sent, *server_time_s)),
                refused: None,
                ..self.clone()
            },
        }
    }

    /// The newest time that the key server told. A refusal tells none, so it is taken to stand still.
    fn newest_time_s(&self) -> i64 {
        let told = self.confirmed.map(|confirmed| confirmed.server_time_s);
        let issued = self.held.as_ref().map(|held| held.issued_at());
        told.max(issued).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BOOT, held, moment, tag};

    fn accepted(revision: u64) -> Outcome {
        Outcome::Accepted {
            held: held(1, revision),
            server_time_s: 900_500,
        }
    }

    fn knowing(revision: u64) -> Knowledge {
        Knowledge::nothing(tag(1, 1)).after(&accepted(revision), &moment(BOOT, 10, 500))
    }

    #[test]
    fn a_snapshot_raises_what_was_seen_and_is_confirmed_as_of_the_question() {
        let known = knowing(7);
        assert_eq!(known.seen, tag(1, 7));
        assert_eq!(
            known.confirmed,
            Some(Confirmation::at(&moment(BOOT, 10, 500), 900_500))
        );
    }

    #[test]
    fn not_modified_confirms_what_is_held() {
        let later = knowing(7).after(
            &Outcome::NotModified {
                server_time_s: 900_530,
            },
            &moment(BOOT, 40, 0),
        );
        assert_eq!(
            later.confirmed,
            Some(Confirmation::at(&moment(BOOT, 40, 0), 900_530))
        );
        assert_eq!(later.seen, tag(1, 7));
    }

    #[test]
    fn a_refusal_keeps_the_newest_time_that_the_key_server_told() {
        let later = knowing(7).after(&Outcome::Refused { status: 410 }, &moment(BOOT, 40, 0));
        assert_eq!(later.confirmed.unwrap().server_time_s, 900_500);
    }

    #[test]
    fn a_refusal_stays_through_failures_and_ends_with_the_next_good_answer() {
        let refused = knowing(7).after(&Outcome::Refused { status: 410 }, &moment(BOOT, 20, 510));
        let failed = refused.after(
            &Outcome::Failed(Failure::Status(503)),
            &moment(BOOT, 30, 520),
        );
        assert_eq!(failed.refused, Some(410));
        let not_modified = Outcome::NotModified {
            server_time_s: 900_530,
        };
        for good in [accepted(8), not_modified] {
            assert_eq!(failed.after(&good, &moment(BOOT, 40, 530)).refused, None);
        }
    }

    #[test]
    fn a_failure_confirms_nothing() {
        let known = knowing(7);
        let failed = known.after(
            &Outcome::Failed(Failure::Status(500)),
            &moment(BOOT, 90, 600),
        );
        assert_eq!(failed.confirmed, known.confirmed);
    }

    #[test]
    fn an_answer_that_was_overtaken_takes_nothing_back() {
        let late = moment(BOOT, 5, 495);
        let known = knowing(7);
        for outcome in [
            accepted(7),
            accepted(8),
            Outcome::NotModified {
                server_time_s: 900_530,
            },
        ] {
            let after = known.after(&outcome, &late);
            assert_eq!(after.confirmed, known.confirmed, "{outcome:?}");
            assert_eq!(after.seen, known.seen);
        }
        let out = known.after(&Outcome::Refused { status: 410 }, &moment(BOOT, 20, 510));
        assert_eq!(out.after(&accepted(8), &late).refused, Some(410));
    }

    #[test]
    fn a_refusal_that_was_overtaken_still_refuses() {
        let out = knowing(7).after(&Outcome::Refused { status: 410 }, &moment(BOOT, 5, 495));
        assert_eq!(out.refused, Some(410));
        assert_eq!(out.confirmed, knowing(7).confirmed);
    }

    #[test]
    fn a_snapshot_below_what_was_seen_since_its_question_is_not_held() {
        let after = knowing(7).after(&accepted(6), &moment(BOOT, 40, 530));
        assert_eq!(after.held.unwrap().tag(), tag(1, 7));
        assert_eq!(after.seen, tag(1, 7));
    }
}
