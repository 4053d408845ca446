//! How a host comes to its answers, which it says with each question for its snapshot.
//!
//! A daemon need not say anything: who waits for a receipt waits for it. A host without one says so, for it asks when somebody
//! logs in and not when something changes. Beside a daemon a single login may ask too, while the daemon can't answer. What
//! that one names is on the disk; the daemon may still have something older in memory, so it confirms nothing.

use keyroster_roster::Asks;

/// The request header.
pub const HEADER: &str = "keyroster-asks";

/// Who asks for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// Its daemon. There is no header.
    Daemon,
    /// One login, on a host without the daemon.
    EachLogin,
    /// One login, while the host's daemon runs.
    BesideDaemon,
}

/// Whether what a question names is what the host answers by from now on.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// It is.
    Confirms,
    /// Another on the host may go by something older.
    ConfirmsNothing,
}

impl Asking {
    /// The header's value, where there is one.
    #[must_use]
    pub const fn header(self) -> Option<&'static str> {
        match self {
            Self::Daemon => None,
            Self::EachLogin => Some("each-login"),
            Self::BesideDaemon => Some("beside-daemon"),
        }
    }

    /// Who asks, by the header's value. A word that nobody knows is one that must confirm nothing.
    #[must_use]
    pub fn from_header(value: Option<&[u8]>) -> Self {
        match value {
            None => Self::Daemon,
            Some(b"each-login") => Self::EachLogin,
            Some(_) => Self::BesideDaemon,
        }
    }

    /// How the host is to be reckoned with.
    #[must_use]
    pub const fn asks(self) -> Asks {
        match self {
            Self::Daemon | Self::BesideDaemon => Asks::AsDaemon,
            Self::EachLogin => Asks::AtEachLogin,
        }
    }

    /// Whether what is named is confirmed.
    pub const fn naming(self) -> Naming {
        match self {
            Self::Daemon | Self::EachLogin => Naming::Confirms,
            Self::BesideDaemon => Naming::ConfirmsNothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_back_and_an_unknown_one_confirms_nothing() {
        for asking in [Asking::Daemon, Asking::EachLogin, Asking::BesideDaemon] {
            let value = asking.header().map(str::as_bytes);
            assert_eq!(Asking::from_header(value), asking);
        }
        let unknown = Asking::from_header(Some(b"sometimes"));
        assert_eq!(unknown.naming(), Naming::ConfirmsNothing);
        assert_eq!(unknown.asks(), Asks::AsDaemon);
    }
}
