//! Why the answer is what it is, as one byte.

use std::fmt;

/// Why the answer is what it is. For logs and people; nobody decides by it.
///
/// Codes 1 to 15 come with `found`, 16 to 31 with `none`, 32 to 63 with `unavailable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// 1: a grant lets the key in, by a snapshot that is fresh.
    Granted,
    /// 2: a grant lets the key in, by a snapshot that is stale but within grace.
    GrantedStale,
    /// 3: the lines are a report of the host agent's state.
    Status,
    /// 16: no grant lets this key into this account.
    NoGrant,
    /// 17: a grant would, but it has ended or not begun, or the key has expired.
    OutsideValidity,
    /// 18: the account is none that can have grants: its name is outside the allow-list, or uid 0 under another name.
    AccountRefused,
    /// 19: the key server says that this host is out.
    HostRefused,
    /// 20: no principals are defined for the account.
    NoPrincipals,
    /// 32: no snapshot is held, and none could be had.
    NoSnapshot,
    /// 33: the snapshot is older than grace.
    PastGrace,
    /// 34: the snapshot is stale and the account's mode is strict.
    StrictStale,
    /// 35: the clock can't be relied on, so neither can any age.
    Clock,
    /// 36: this peer may not ask.
    PeerRefused,
    /// 37: the request was no request of this version.
    BadRequest,
    /// 38: too many questions at once.
    Busy,
    /// 39: the host is not enrolled.
    NotEnrolled,
    /// 40: the host agent failed; its own log says how.
    Internal,
    /// A code that this version does not know.
    Unknown(u8),
}

impl Reason {
    /// The reason that `code` stands for.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Granted,
            2 => Self::GrantedStale,
            3 => Self::Status,
            16 => Self::NoGrant,
            17 => Self::OutsideValidity,
            18 => Self::AccountRefused,
            19 => Self::HostRefused,
            20 => Self::NoPrincipals,
            32 => Self::NoSnapshot,
            33 => Self::PastGrace,
            34 => Self::StrictStale,
            35 => Self::Clock,
            36 => Self::PeerRefused,
            37 => Self::BadRequest,
            38 => Self::Busy,
            39 => Self::NotEnrolled,
            40 => Self::Internal,
            other => Self::Unknown(other),
        }
    }

    /// The byte that stands for this reason.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Granted => 1,
            Self::GrantedStale => 2,
            Self::Status => 3,
            Self::NoGrant => 16,
            Self::OutsideValidity => 17,
            Self::AccountRefused => 18,
            Self::HostRefused => 19,
            Self::NoPrincipals => 20,
            Self::NoSnapshot => 32,
            Self::PastGrace => 33,
            Self::StrictStale => 34,
            Self::Clock => 35,
            Self::PeerRefused => 36,
            Self::BadRequest => 37,
            Self::Busy => 38,
            Self::NotEnrolled => 39,
            Self::Internal => 40,
            Self::Unknown(code) => code,
        }
    }

    /// The word for logs: lower case, words joined by hyphens.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::GrantedStale => "granted-stale",
            Self::Status => "status",
            Self::NoGrant => "no-grant",
            Self::OutsideValidity => "outside-validity",
            Self::AccountRefused => "account-refused",
            Self::HostRefused => "host-refused",
            Self::NoPrincipals => "no-principals",
            Self::NoSnapshot => "no-snapshot",
            Self::PastGrace => "past-grace",
            Self::StrictStale => "strict-stale",
            Self::Clock => "clock",
            Self::PeerRefused => "peer-refused",
            Self::BadRequest => "bad-request",
            Self::Busy => "busy",
            Self::NotEnrolled => "not-enrolled",
            Self::Internal => "internal",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_the_code_of_the_reason_it_stands_for() {
        for code in 0..=u8::MAX {
            assert_eq!(Reason::from_code(code).code(), code);
        }
    }

    #[test]
    fn every_known_reason_has_a_word_of_its_own() {
        let mut words: Vec<_> = (0..=u8::MAX)
            .map(Reason::from_code)
            .map(Reason::word)
            .collect();
        words.retain(|word| *word != "unknown");
        let known = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!((known, words.len()), (17, 17));
    }
}
