//! Which events stand in the revocation journal, and why.
//!
//! Said for each action, in one `match` without a default: an action that is new does not compile until somebody has decided.

use serde_json::Value as Json;

use crate::action::Action;

/// What an event is to the revocation journal.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It takes away access: written down before it is committed.
    TakesAway,
    /// It takes back what another took away: written down once it is committed.
    GivesBack,
    /// It may do either, which depends on the grants: written down before and after.
    Either,
    /// A restore has to know of it: written down once it is committed.
    Tells,
    /// It stands in the audit log alone.
    Nothing,
}

impl Weight {
    /// That of an event with this detail.
    pub fn of(action: Action, detail: &Json) -> Self {
        match action {
            Action::KeyRevoke
            | Action::GroupDelete
            | Action::HostRemove
            | Action::HostLock
            | Action::HostGroupDelete
            | Action::BearerTokenRevoke => Self::TakesAway,
            Action::UserSetState if is(detail, "state", "active") => Self::GivesBack,
            Action::UserSetState => Self::TakesAway,
            // Who is in a group is let in by its grants that allow, and kept out by those that deny.
            Action::GroupAddMember
            | Action::GroupRemoveMember
            | Action::HostGroupAddHost
            | Action::HostGroupRemoveHost => Self::Either,
            Action::GrantAdd if is(detail, "effect", "deny") => Self::TakesAway,
            Action::GrantRevoke if is(detail, "effect", "deny") => Self::GivesBack,
            Action::GrantRevoke => Self::TakesAway,
            Action::HostEnrol | Action::RosterRestore => Self::Tells,
            Action::GrantAdd
            | Action::UserAdd
            | Action::KeyAdd
            | Action::GroupAdd
            | Action::HostRenewCertificate
            | Action::HostRotateCertificate
            | Action::HostAdoptCertificate
            | Action::HostGroupAdd
            | Action::HostGroupSet
            | Action::EnrolmentTokenAdd
            | Action::EnrolmentTokenRefuse
            | Action::BearerTokenAdd
            | Action::BreakGlassUse
            | Action::BreakGlassDrill
            | Action::SnapshotKeyAnnounce
            | Action::SnapshotKeySwitch
            | Action::SnapshotKeyFinish
            | Action::CaAnnounce
            | Action::CaSwitch
            | Action::CaFinish => Self::Nothing,
        }
    }

    /// Whether it is written down before it is committed.
    pub const fn before(self) -> When {
        match self {
            Self::TakesAway | Self::Either => When::Always,
            Self::GivesBack | Self::Tells | Self::Nothing => When::Never,
        }
    }

    /// Whether it is written down once it is committed.
    pub const fn after(self) -> When {
        match self {
            Self::GivesBack | Self::Either | Self::Tells => When::Always,
            Self::TakesAway => When::UnlessBefore,
            Self::Nothing => When::Never,
        }
    }
}

/// Whether something is written down.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// Unless it was before the commit.
    UnlessBefore,
    Never,
}

fn is(detail: &Json, field: &str, word: &str) -> bool {
    detail.get(field).and_then(Json::as_str) == Some(word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::journal::feed;

    #[test]
    fn what_takes_away_is_written_down_before_it_is_committed() {
        for (action, detail) in [
            (Action::KeyRevoke, json!({})),
            (Action::UserSetState, json!({ "state": "suspended" })),
            (Action::UserSetState, json!({ "state": "terminated" })),
            (Action::GroupAddMember, json!({})),
            (Action::GroupRemoveMember, json!({})),
            (Action::GrantAdd, json!({ "effect": "deny" })),
            (Action::GrantRevoke, json!({ "effect": "allow" })),
            (Action::GrantRevoke, json!({})),
        ] {
            assert_eq!(
                Weight::of(action, &detail).before(),
                When::Always,
                "{action:?}"
            );
        }
    }

    #[test]
    fn what_gives_back_is_never_written_down_before_it_is_committed() {
        for (action, detail) in [
            (Action::UserSetState, json!({ "state": "active" })),
            (Action::GrantAdd, json!({ "effect": "allow" })),
            (Action::GrantRevoke, json!({ "effect": "deny" })),
        ] {
            assert_eq!(
                Weight::of(action, &detail).before(),
                When::Never,
                "{action:?}"
            );
        }
    }

    #[test]
    fn the_database_is_asked_for_exactly_the_actions_that_are_written_down() {
        for action in Action::ALL {
            let details = [json!({}), json!({ "effect": "deny" })];
            let weighs = details
                .iter()
                .any(|detail| Weight::of(action, detail) != Weight::Nothing);
            let word = format!("'{}'", action.as_str());
            assert_eq!(feed::RELEVANT_SQL.contains(&word), weighs, "{word}");
        }
    }
}
