use std::fmt;

use keyroster_keys::{AccountName, HostName};

use crate::{DenyReason, Effect, Grant, GrantId, Host, Standing, Subject, Target, Timestamp};

/// One thing that a decision rests on, or could have rested on, as data: whoever shows it chooses the words.
///
/// `Display` gives one clear sentence, without a final dot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A grant that concerns the question, and how it stands.
    Grant {
        /// The grant.
        grant: GrantId,
        /// Whether it allows or denies.
        effect: Effect,
        /// Whom it concerns: the user, or a group that the user is in.
        subject: Subject,
        /// The account.
        account: AccountName,
        /// The hosts: the host, or a host group that it is in.
        target: Target,
        /// The name of the host that was asked for, since a target has its id alone.
        host: HostName,
        /// Whether it holds at the moment asked for.
        standing: Standing,
    },
    /// Several grants allow it, so that the line is what all of them agree on.
    Merged {
        /// How many.
        grants: usize,
    },
    /// Something that is enough alone to refuse the key.
    Refused(DenyReason),
}

impl Finding {
    /// What a grant that concerns the question contributes at a moment.
    pub(crate) fn of(grant: &Grant, host: &Host, now: Timestamp) -> Self {
        Self::Grant {
            grant: grant.id.clone(),
            effect: grant.effect,
            subject: grant.subject.clone(),
            account: grant.account.clone(),
            target: grant.target.clone(),
            host: host.name.clone(),
            standing: grant.standing(now),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant {
                grant,
                effect,
                subject,
                account,
                target,
                host,
                standing,
            } => {
                let verb = match effect {
                    Effect::Allow => "allows",
                    Effect::Deny => "denies",
                };
                write!(
                    f,
                    "grant {grant} {verb} {subject} account \"{account}\" on "
                )?;
                match target {
                    Target::Host(_) => write!(f, "host \"{host}\"{standing}"),
                    Target::HostGroup(name) => write!(f, "host group \"{name}\"{standing}"),
                }
            }
            Self::Merged { grants } => {
                write!(
                    f,
                    "{grants} grants allow it, and the most restrictive reading of each option counts"
                )
            }
            Self::Refused(reason) => reason.fmt(f),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { until: None } => Ok(()),
            Self::Holds { until: Some(until) } => write!(f, " until {until}"),
            Self::NotYet { from } => write!(f, ", but only from {from} on"),
            Self::Over { since } => write!(f, ", but ended at {since}"),
            Self::Revoked { at } => write!(f, ", but was revoked at {at}"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user \"{name}\""),
            Self::Group(name) => write!(f, "group \"{name}\""),
        }
    }
}
