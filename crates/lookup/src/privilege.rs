//! Whom this program refuses to run as.
//!
//! A key command answers strangers before they have proved anything. sshd lets it run as any user; as root, or with the groups of
//! some other service, a mistake in it would be worth something. The user's own primary group is all it may have.

use std::io;

use crate::sys::{self, Ids};

/// Whether this process may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Standing {
    /// An ordinary user with no group but its own.
    Ordinary,
    /// One of the user ids is root's.
    Root,
    /// There is a group beyond the primary one.
    ExtraGroups,
}

/// Judges this process.
pub(crate) fn standing() -> io::Result<Standing> {
    let ids = sys::ids()?;
    // More groups than the buffer holds are an error there, and groups too many here.
    Ok(sys::supplementary_groups().map_or(Standing::ExtraGroups, |groups| judge(ids, &groups)))
}

fn judge(ids: Ids, supplementary: &[u32]) -> Standing {
    let [primary, ..] = ids.groups;
    if ids.users.contains(&ROOT) {
        Standing::Root
    } else if ids
        .groups
        .iter()
        .chain(supplementary)
        .any(|group| *group != primary)
    {
        Standing::ExtraGroups
    } else {
        Standing::Ordinary
    }
}

/// root's user id.
pub(crate) const ROOT: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: Ids = Ids {
        users: [990; 3],
        groups: [980; 3],
    };

    #[test]
    fn an_ordinary_user_may_answer_with_its_own_group_listed_or_not() {
        assert_eq!(judge(IDS, &[]), Standing::Ordinary);
        assert_eq!(judge(IDS, &[980]), Standing::Ordinary);
    }

    #[test]
    fn root_is_refused_as_real_effective_or_saved_user() {
        for users in [[0, 990, 990], [990, 0, 990], [990, 990, 0]] {
            assert_eq!(judge(Ids { users, ..IDS }, &[]), Standing::Root);
        }
    }

    #[test]
    fn a_group_beyond_the_primary_one_is_refused() {
        assert_eq!(judge(IDS, &[980, 42]), Standing::ExtraGroups);
        assert_eq!(
            judge(
                Ids {
                    groups: [980, 42, 42],
                    ..IDS
                },
                &[]
            ),
            Standing::ExtraGroups
        );
    }
}
