use keyroster_keys::{AccountName, Fingerprint};

use crate::{ReportId, Timestamp};

/// Something that a host says happened on it. It changes nobody's access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReport {
    /// Which report of the host's it is: the same one may be told again.
    pub id: ReportId,
    /// What happened.
    pub kind: ReportKind,
    /// To which account.
    pub account: AccountName,
    /// With which key.
    pub key: Fingerprint,
    /// When, by the host's clock, which may be wrong.
    pub at: Timestamp,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportKind {
    /// A break-glass key opened a session.
    BreakGlass,
    /// The same, to see whether it works.
    Drill,
}

impl ReportKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::BreakGlass, Self::Drill];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BreakGlass => "break-glass",
            Self::Drill => "drill",
        }
    }

    /// The kind that a word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}
