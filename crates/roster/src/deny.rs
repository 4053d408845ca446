use std::fmt;

use keyroster_keys::line::MAX_LINE_BYTES;
use keyroster_keys::{AccountName, Fingerprint, HostName, UserName};

use crate::merge::Conflict;
use crate::{GrantId, HostId, Timestamp, UserState};

/// Why a key may not log in. Each is enough alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenyReason {
    /// The roster has no such host.
    HostUnknown {
        /// The host that was asked for.
        host: HostId,
    },
    /// The host was removed.
    HostRemoved {
        /// Its name.
        host: HostName,
    },
    /// The roster has no such key.
    KeyUnknown {
        /// The key that was asked for.
        key: Fingerprint,
    },
    /// The key's owner is missing from the roster.
    UserUnknown {
        /// The owner's name.
        user: UserName,
    },
    /// The key's owner is suspended or terminated.
    UserNotActive {
        /// The owner of the key.
        user: UserName,
        /// What became of the owner.
        state: UserState,
    },
    /// The user is a service, and the person who answers for it is suspended or terminated.
    OwnerNotActive {
        /// The service.
        user: UserName,
        /// The person who answers for it.
        owner: UserName,
        /// What became of that person.
        state: UserState,
    },
    /// The user is a service for which no person in the roster answers.
    OwnerNotPerson {
        /// The service.
        user: UserName,
        /// The owner that it names.
        owner: UserName,
    },
    /// The key was revoked.
    KeyRevoked {
        /// The key.
        key: Fingerprint,
        /// When it was revoked.
        at: Timestamp,
    },
    /// The key has expired.
    KeyExpired {
        /// The key.
        key: Fingerprint,
        /// The first moment at which it no longer worked.
        at: Timestamp,
    },
    /// A grant denies it.
    GrantDenies {
        /// The grant, the oldest of several.
        grant: GrantId,
    },
    /// No grant allows it now.
    NoGrant {
        /// The owner of the key.
        user: UserName,
        /// The account.
        account: AccountName,
        /// The host's name.
        host: HostName,
    },
    /// The grants that allow it can't be obeyed together.
    GrantsConflict {
        /// What they can't agree on.
        conflict: Conflict,
    },
    /// The line would be longer than a host prints.
    LineTooLong,
    /// The line can't be written so that sshd reads it back as meant.
    LineUnwritable,
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostUnknown { host } => write!(f, "host {host} is not in the roster"),
            Self::HostRemoved { host } => write!(f, "host \"{host}\" has been removed"),
            Self::KeyUnknown { key } => write!(f, "key {key} is not in the roster"),
            Self::UserUnknown { user } => write!(f, "user \"{user}\" is not in the roster"),
            Self::UserNotActive { user, state } => {
                write!(f, "user \"{user}\" is {}", state.as_str())
            }
            Self::OwnerNotActive { user, owner, state } => {
                write!(
                    f,
                    "service \"{user}\" belongs to user \"{owner}\", who is {}",
                    state.as_str()
                )
            }
            Self::OwnerNotPerson { user, owner } => {
                write!(
                    f,
                    "service \"{user}\" belongs to \"{owner}\", who is no person in the roster"
                )
            }
            Self::KeyRevoked { key, at } => write!(f, "key {key} was revoked at {at}"),
            Self::KeyExpired { key, at } => write!(f, "key {key} expired at {at}"),
            Self::GrantDenies { grant } => write!(f, "grant {grant} denies it, and a denial wins"),
            Self::NoGrant {
                user,
                account,
                host,
            } => {
                write!(
                    f,
                    "no grant lets user \"{user}\" in as \"{account}\" on host \"{host}\" now"
                )
            }
            Self::GrantsConflict { conflict } => {
                write!(f, "the grants that allow it conflict: {conflict}")
            }
            Self::LineTooLong => write!(f, "the line would be longer than {MAX_LINE_BYTES} bytes"),
            Self::LineUnwritable => {
                f.write_str("the line can't be written so that sshd reads it back as meant")
            }
        }
    }
}
