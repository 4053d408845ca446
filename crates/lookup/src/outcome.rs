//! What one source said, and why.

use keyroster_wire::Reason;

/// What one source said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The finding, in nsswitch's four words.
    pub(crate) finding: Finding,
    /// What the log says about it.
    pub(crate) evidence: Evidence,
}

impl Outcome {
    /// An outcome about which no more is known than why.
    pub(crate) const fn bare(finding: Finding, why: Why) -> Self {
        Self {
            finding,
            evidence: Evidence {
                why,
                revision: None,
                staleness_ms: None,
                skipped: 0,
            },
        }
    }
}

/// nsswitch's four statuses; the first carries what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Finding {
    /// `SUCCESS`: lines that have been checked and may be printed, at least one.
    Found(Vec<String>),
    /// `NOTFOUND`: an authoritative no.
    None,
    /// `UNAVAIL`: could not be decided, and asking again at once would not help.
    Unavailable,
    /// `TRYAGAIN`: could not be decided in the time there was.
    TryAgain,
}

impl Finding {
    /// The word for the log.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::None => "none",
            Self::Unavailable => "unavail",
            Self::TryAgain => "tryagain",
        }
    }
}

/// What stands behind an outcome, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Why.
    pub(crate) why: Why,
    /// Epoch and revision of the snapshot that decided.
    pub(crate) revision: Option<(u64, u64)>,
    /// How long ago the key server had confirmed it, in milliseconds.
    pub(crate) staleness_ms: Option<u64>,
    /// Lines that were left out because they could not be read, or for being too long.
    pub(crate) skipped: u32,
}

/// Why a source said what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The host agent's own reason.
    Said(Reason),
    /// The same authority has said no already; this source was not asked.
    AlreadyRefused,
    /// A provider's command printed lines for the offered key, or none for it.
    Provider,
    /// The account's name is not one that is handed to another program.
    AccountUnfit,
    /// No time was left to ask.
    NoTime,
    /// The deadline passed.
    Deadline,
    /// There is no socket at the path, or nobody listens on it.
    NotRunning,
    /// The socket, its directory or the peer is not one to be believed.
    PeerMistrusted,
    /// The conversation broke off.
    Io,
    /// The response is not one of this protocol.
    Protocol,
    /// A line of the response is not one line for the offered key.
    ForeignLine,
    /// The request can't be expressed in the protocol.
    Request,
    /// The program, or a directory above it, could be changed by others than root.
    ProgramMistrusted,
    /// The program could not be started.
    NotStarted,
    /// The program ended with something other than success.
    Failed,
    /// The program printed more than the cap.
    TooMuchOutput,
}

impl Why {
    /// The word for the log.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Said(reason) => reason.word(),
            Self::AlreadyRefused => "already-refused",
            Self::Provider => "provider",
            Self::AccountUnfit => "account-unfit",
            Self::NoTime => "no-time",
            Self::Deadline => "deadline",
            Self::NotRunning => "not-running",
            Self::PeerMistrusted => "peer-mistrusted",
            Self::Io => "io",
            Self::Protocol => "protocol",
            Self::ForeignLine => "foreign-line",
            Self::Request => "request",
            Self::ProgramMistrusted => "program-mistrusted",
            Self::NotStarted => "not-started",
            Self::Failed => "failed",
            Self::TooMuchOutput => "too-much-output",
        }
    }
}
