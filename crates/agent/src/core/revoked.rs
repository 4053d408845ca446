//! Whether a list of revoked keys may take the place of the one before it.
//!
//! A list that goes back, or that lost keys by accident, would let revoked keys in again. So the tag never falls, and no key
//! goes missing unless the list says that one was taken off since. Only a new epoch starts anew: then the roster was
//! restored from a backup, and the owner has said so.

use keyroster_api::revoked_keys::{ListError, RevokedKeys};
use keyroster_api::snapshot::Tag;
use keyroster_keys::Fingerprints;

/// What is to be done with a list that was put together.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It takes the place of the one before.
    Take,
    /// It is the one that is held.
    Keep,
}

/// Why a list is not taken. The one that is held goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The document is not to be believed.
    #[error(transparent)]
    Document(#[from] ListError),
    /// It is older than one that was seen.
    #[error(
        "the list of revoked keys is of {}, and one of {} was seen",
        got.to_header(),
        seen.to_header()
    )]
    Older {
        /// Its tag.
        got: Tag,
        /// The highest tag that was seen.
        seen: Tag,
    },
    /// It has the tag of another list.
    #[error("there are two lists of revoked keys of {}", .0.to_header())]
    Twice(Tag),
    /// Keys are gone from it that nobody took off.
    #[error("{missing} keys are missing in the list of revoked keys of {}, and it does not say that any was taken off", got.to_header())]
    Lost {
        /// Its tag.
        got: Tag,
        /// How many are gone.
        missing: usize,
    },
}

/// Judges a list by what was known before: the tag and the keys of the newest list that was seen.
///
/// # Errors
/// When it may not take that one's place.
pub fn judge(before: Option<(Tag, &Fingerprints)>, next: &RevokedKeys) -> Result<Step, Refusal> {
    let got = next.tag();
    let Some((seen, keys)) = before else {
        return Ok(Step::Take);
    };
    if got < seen {
        return Err(Refusal::Older { got, seen });
    }
    if got == seen {
        return match next.keys() == keys {
            true => Ok(Step::Keep),
            false => Err(Refusal::Twice(got)),
        };
    }
    let may_shrink = got.epoch > seen.epoch || next.delisted() > seen.revision;
    match keys.without(next.keys()).count() {
        0 => Ok(Step::Take),
        _ if may_shrink => Ok(Step::Take),
        missing => Err(Refusal::Lost { got, missing }),
    }
}

#[cfg(test)]
mod tests {
    use keyroster_roster::Revision;

    use super::*;
    use crate::testing::{fingerprints, snapshot_key, tag};

    fn list(tag: Tag, delisted: u64, numbers: &[u8]) -> RevokedKeys {
        let delisted = Revision::new(delisted).unwrap();
        RevokedKeys::sign(&snapshot_key(), (tag, delisted), 0, fingerprints(numbers)).unwrap()
    }

    fn judged(seen: Tag, before: &[u8], next: &RevokedKeys) -> Result<Step, Refusal> {
        judge(Some((seen, &fingerprints(before))), next)
    }

    #[test]
    fn the_first_list_is_taken_and_one_with_more_keys_follows_it() {
        assert_eq!(judge(None, &list(tag(1, 5), 0, &[])), Ok(Step::Take));
        assert_eq!(
            judged(tag(1, 5), &[], &list(tag(1, 6), 0, &[1])),
            Ok(Step::Take)
        );
        assert_eq!(
            judged(tag(1, 6), &[1], &list(tag(1, 9), 0, &[1, 2])),
            Ok(Step::Take)
        );
    }

    #[test]
    fn the_same_list_again_changes_nothing_and_another_of_its_tag_is_refused() {
        assert_eq!(
            judged(tag(1, 5), &[1], &list(tag(1, 5), 0, &[1])),
            Ok(Step::Keep)
        );
        let other = judged(tag(1, 5), &[1], &list(tag(1, 5), 5, &[2]));
        assert_eq!(other, Err(Refusal::Twice(tag(1, 5))));
    }

    #[test]
    fn an_older_list_is_refused_whatever_it_holds() {
        for got in [tag(1, 4), tag(0, 900)] {
            let refused = judged(tag(1, 5), &[1], &list(got, 4, &[1, 2]));
            assert_eq!(
                refused,
                Err(Refusal::Older {
                    got,
                    seen: tag(1, 5)
                })
            );
        }
    }

    #[test]
    fn keys_leave_only_a_list_that_says_that_one_was_taken_off_since() {
        for left in [&[][..], &[1], &[1, 9]] {
            let lost = judged(tag(1, 5), &[1, 2], &list(tag(1, 8), 5, left));
            assert!(matches!(lost, Err(Refusal::Lost { .. })), "{left:?}");
            let taken_off = judged(tag(1, 5), &[1, 2], &list(tag(1, 8), 6, left));
            assert_eq!(taken_off, Ok(Step::Take), "{left:?}");
        }
    }

    #[test]
    fn a_new_epoch_starts_anew() {
        assert_eq!(
            judged(tag(1, 900), &[1, 2], &list(tag(2, 3), 0, &[])),
            Ok(Step::Take)
        );
    }
}
