use keyroster_keys::{AccountName, GroupName, UserName};

use crate::{Actor, FromList, GrantId, GrantOptions, HostId, ModelError, Reason, Timestamp};

/// Who may log in, or may not, to which account on which hosts, when and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The grant's id.
    pub id: GrantId,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Whom it concerns.
    pub subject: Subject,
    /// The account on the hosts.
    pub account: AccountName,
    /// The hosts.
    pub target: Target,
    /// How a login may be used.
    pub options: GrantOptions,
    /// Where a login may come from; anywhere if nothing is said.
    pub from: Option<FromList>,
    /// The first moment at which it holds.
    pub not_before: Option<Timestamp>,
    /// The first moment at which it no longer holds.
    pub until: Option<Timestamp>,
    /// Why it was given.
    pub reason: Option<Reason>,
    /// Who gave it.
    pub created_by: Actor,
    /// When it was given.
    pub created_at: Timestamp,
    /// Whether it has been taken back.
    pub state: GrantState,
}

/// Whether a grant allows or denies. A denial wins over every allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The subject may log in.
    Allow,
    /// The subject may not, whatever else allows it.
    Deny,
}

/// Whom a grant concerns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One user.
    User(UserName),
    /// Every member of a group.
    Group(GroupName),
}

/// Which hosts a grant concerns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// One host.
    Host(HostId),
    /// Every host of a host group.
    HostGroup(GroupName),
}

/// Whether a grant has been taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrantState {
    /// It holds, within its times.
    Active,
    /// It never holds again.
    Revoked {
        /// When it was taken back; for the record, for it ended at once.
        at: Timestamp,
    },
}

/// How a grant stands at a moment, with the moment that it hangs on.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It holds.
    Holds {
        /// When it ends, if that is known.
        until: Option<Timestamp>,
    },
    /// It does not hold yet.
    NotYet {
        /// When it begins.
        from: Timestamp,
    },
    /// It no longer holds.
    Over {
        /// When it ended.
        since: Timestamp,
    },
    /// It was taken back.
    Revoked {
        /// When.
        at: Timestamp,
    },
}

impl Grant {
    /// Refuses a grant that could never hold, and a denial with conditions.
    ///
    /// A denial takes neither options nor `from`: sshd learns of neither unless a line is printed, so a denial could not be
    /// held to them, and one that only seems to deny is worse than none.
    pub fn check(&self) -> Result<(), ModelError> {
        if let (Some(not_before), Some(until)) = (self.not_before, self.until)
            && until <= not_before
        {
            return Err(ModelError::Grant {
                rule: "it would end before it begins",
            });
        }
        if self.effect == Effect::Deny
            && (self.from.is_some() || self.options != GrantOptions::default())
        {
            return Err(ModelError::Grant {
                rule: "a denial takes no options, no command and no addresses",
            });
        }
        Ok(())
    }

    /// How the grant stands at a moment. It holds from `not_before` on and ends at `until`.
    pub fn standing(&self, now: Timestamp) -> Standing {
        match (self.state, self.until, self.not_before) {
            (GrantState::Revoked { at }, _, _) => Standing::Revoked { at },
            (_, Some(until), _) if until <= now => Standing::Over { since: until },
            (_, _, Some(from)) if now < from => Standing::NotYet { from },
            (_, until, _) => Standing::Holds { until },
        }
    }

    /// Whether the grant may hold at a moment from now on.
    pub(crate) fn may_still_hold(&self, now: Timestamp) -> bool {
        self.state == GrantState::Active && self.until.is_none_or(|until| until > now)
    }

    /// Whether the grant holds at a moment.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        matches!(self.standing(now), Standing::Holds { .. })
    }
}

impl Effect {
    /// The word for it, as stored and as spoken.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}
