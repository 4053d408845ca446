//! The coordinates of a cell, besides the fault.

use std::fmt;

/// By which rules a login is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// A stale snapshot answers nothing.
    Strict,
    /// A stale snapshot answers until grace has passed.
    Grace,
    /// A local root-owned file names the key; sshd reads it before it asks anybody.
    BreakGlass,
}

/// What the host agent holds when the fault begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Held {
    /// No snapshot.
    Nothing,
    /// One that was confirmed within max staleness.
    Fresh,
    /// One that was confirmed before that, but within grace.
    Stale,
    /// One that was confirmed before grace began.
    Expired,
}

/// One cell of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The fault's name.
    pub fault: &'static str,
    /// The mode.
    pub mode: Mode,
    /// What is held.
    pub held: Held,
}

impl Mode {
    /// In the order of the table.
    pub const ALL: [Self; 3] = [Self::Strict, Self::Grace, Self::BreakGlass];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Grace => "grace",
            Self::BreakGlass => "break-glass",
        }
    }
}

impl Held {
    /// In the order of the table.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Fresh, Self::Stale, Self::Expired];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mode, held) = (self.mode.word(), self.held.word());
        write!(f, "{}: {mode}, holding {held}", self.fault)
    }
}
