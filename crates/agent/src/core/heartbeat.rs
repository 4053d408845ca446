//! Whether an answer is the key server's word on *this* question.
//!
//! TLS says who speaks, and not that it speaks now: whatever stands between, a proxy that keeps answers above all, can repeat
//! what was true once. A revoked key would then be fresh. So each question has a nonce, and only an answer whose heartbeat was
//! signed for it confirms anything.

use keyroster_api::heartbeat::{Heartbeat, HeartbeatError, Nonce};
use keyroster_api::snapshot::Tag;

use crate::core::accept::{Authority, Refusal};
use crate::core::knowledge::Failure;

/// What the key server vouches for, in answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vouched {
    tag: Tag,
    server_time_s: i64,
}

impl Vouched {
    /// Reads the heartbeat of the answer to the question with this nonce; `seen` is the highest epoch and revision ever seen.
    ///
    /// # Errors
    /// When there is none that holds, or it tells of a roster that went back. The answer decides nothing then.
    pub fn read(
        header: Option<&[u8]>,
        authority: &Authority,
        nonce: Nonce,
        seen: Tag,
    ) -> Result<Self, Failure> {
        let value = header.ok_or(HeartbeatError::Missing)?;
        let said = Heartbeat::from_header(value, &authority.key, &authority.host_id, nonce)?;
        let tag = said
            .tag()
            .map_err(|err| HeartbeatError::Malformed(err.to_string()))?;
        if tag < seen {
            return Err(Refusal::WentBack { offered: tag, seen }.into());
        }
        Ok(Self {
            tag,
            server_time_s: said.server_time_ms.div_euclid(MS_PER_S),
        })
    }

    /// The key server's time, in seconds since the Unix epoch.
    #[must_use]
    pub fn server_time_s(self) -> i64 {
        self.server_time_s
    }

    /// The key server's time, if it is this that it vouches for.
    ///
    /// # Errors
    /// When it vouches for something else.
    pub fn confirms(self, answered: Tag) -> Result<i64, Failure> {
        match self.tag == answered {
            true => Ok(self.server_time_s),
            false => Err(Failure::Contradiction {
                vouched: self.tag,
                answered,
            }),
        }
    }
}

const MS_PER_S: i64 = 1000;

#[cfg(test)]
mod tests {
    use keyroster_api::heartbeat::{NONCE_BYTES, SCHEMA};
    use keyroster_api::signature::SnapshotKey;

    use super::*;
    use crate::testing::{HOST_ID, authority, snapshot_key, tag};

    const NONCE: Nonce = Nonce::new([9; NONCE_BYTES]);

    fn said(epoch: u64, revision: u64) -> Heartbeat {
        Heartbeat {
            schema: SCHEMA,
            host: HOST_ID.to_owned(),
            nonce: NONCE.to_string(),
            epoch,
            revision,
            roster_revision: revision,
            server_time_ms: 1_000_999,
        }
    }

    fn read(said: &Heartbeat, key: &SnapshotKey) -> Result<Vouched, Failure> {
        let header = said.to_header(key).unwrap();
        Vouched::read(Some(header.as_bytes()), &authority(), NONCE, tag(1, 10))
    }

    #[test]
    fn a_heartbeat_for_the_question_confirms_what_it_names_and_nothing_else() {
        let vouched = read(&said(1, 10), &snapshot_key()).unwrap();
        assert_eq!(vouched.confirms(tag(1, 10)), Ok(1000));
        for other in [tag(1, 9), tag(1, 11), tag(2, 10)] {
            assert!(matches!(
                vouched.confirms(other),
                Err(Failure::Contradiction { .. })
            ));
        }
    }

    #[test]
    fn a_heartbeat_that_goes_back_is_told_as_a_roster_that_went_back() {
        for (epoch, revision) in [(1, 9), (0, 900)] {
            let refused = read(&said(epoch, revision), &snapshot_key()).unwrap_err();
            assert!(
                matches!(refused, Failure::Unacceptable(Refusal::WentBack { .. })),
                "{refused}"
            );
        }
        assert!(read(&said(2, 1), &snapshot_key()).is_ok());
    }

    #[test]
    fn without_a_heartbeat_of_our_key_host_and_question_nothing_is_vouched_for() {
        let other_key = SnapshotKey::from_seed(&[99; 32]).unwrap();
        let other_host = Heartbeat {
            host: "another".to_owned(),
            ..said(1, 10)
        };
        let other_question = Heartbeat {
            nonce: Nonce::new([8; NONCE_BYTES]).to_string(),
            ..said(1, 10)
        };
        let out_of_range = said(1, u64::MAX);
        let refused = [
            Vouched::read(None, &authority(), NONCE, tag(1, 10)),
            read(&said(1, 10), &other_key),
            read(&other_host, &snapshot_key()),
            read(&other_question, &snapshot_key()),
            read(&out_of_range, &snapshot_key()),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(Failure::Unvouched(_))), "{refused:?}");
        }
    }
}
