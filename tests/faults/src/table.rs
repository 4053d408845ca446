//! The table: every fault, and what it amounts to.

mod answers;
mod certificates;
mod disk;
mod documents;
mod heartbeats;
mod machine;
mod network;
mod size;
mod updates;

use keyroster_testkit::Result;

use crate::cell::{Cell, Held, Mode};
use crate::rules::Effect;
use crate::stage::Stage;

/// Rows that belong together and are run together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// The key server can't be reached, or not talked to.
    Network,
    /// It answers, but not with a snapshot.
    Answers,
    /// It answers with too much.
    Size,
    /// Certificates are wrong.
    Certificates,
    /// It answers with a document that may not be used, or just so.
    Documents,
    /// It answers with a heartbeat that vouches for nothing.
    Heartbeats,
    /// Updates, and the journal of them.
    Updates,
    /// The state directory.
    Disk,
    /// The machine and the host agent's process.
    Machine,
}

/// Where the cells of a row are asserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// By this crate.
    Here,
    /// By what is named.
    Elsewhere(&'static str),
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// What is broken.
    pub name: &'static str,
    /// What that means under the rules.
    pub effect: Effect,
    /// With what it is made here, where that is not plain.
    pub how: &'static str,
    /// Where it stands in the table.
    pub family: Family,
    /// Where it is asserted.
    pub place: Place,
    pub(crate) script: Script,
}

/// What is done on a stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script {
    /// Before the host agent is started.
    pub(crate) arrange: fn(&mut Stage<'_>) -> Result,
    /// Once it answers, in place of the first questions.
    pub(crate) upset: Option<fn(&mut Stage<'_>) -> Result>,
    /// Whether it is killed and started again while it is asked, in place of the first questions.
    pub(crate) under_load: bool,
    /// What the fault amounts to after a restart without the key server, if that is tried.
    pub(crate) restarted: Option<Effect>,
    /// Whether a host without the daemon is asked as well.
    pub(crate) direct: bool,
}

impl Family {
    /// In the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Network,
        Self::Answers,
        Self::Size,
        Self::Certificates,
        Self::Documents,
        Self::Heartbeats,
        Self::Updates,
        Self::Disk,
        Self::Machine,
    ];

    /// Its heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Network => "The key server can't be reached",
            Self::Answers => "It answers, but with no snapshot",
            Self::Size => "It answers with too much",
            Self::Certificates => "Certificates",
            Self::Documents => "Signed documents",
            Self::Heartbeats => "Heartbeats",
            Self::Updates => "Updates and their journal",
            Self::Disk => "The state directory",
            Self::Machine => "The machine and the host agent's process",
        }
    }

    fn rows(self) -> Vec<Fault> {
        match self {
            Self::Network => network::rows(),
            Self::Answers => answers::rows(),
            Self::Size => size::rows(),
            Self::Certificates => certificates::rows(),
            Self::Documents => documents::rows(),
            Self::Heartbeats => heartbeats::rows(),
            Self::Updates => updates::rows(),
            Self::Disk => disk::rows(),
            Self::Machine => machine::rows(),
        }
    }
}

/// Every row, in the order of the table.
#[must_use]
pub fn faults() -> Vec<Fault> {
    let rows = |family: Family| {
        let rows = family.rows().into_iter();
        rows.map(move |fault| Fault { family, ..fault })
    };
    Family::ALL.into_iter().flat_map(rows).collect()
}

impl Fault {
    /// A row about the key server, which hosts with and without the daemon meet alike.
    fn met_by_all(
        name: &'static str,
        effect: Effect,
        arrange: fn(&mut Stage<'_>) -> Result,
    ) -> Self {
        Self {
            name,
            effect,
            how: "",
            family: Family::Network,
            place: Place::Here,
            script: Script {
                arrange,
                upset: None,
                under_load: false,
                restarted: None,
                direct: true,
            },
        }
    }

    /// A row about the daemon.
    fn met_by_daemon(
        name: &'static str,
        effect: Effect,
        arrange: fn(&mut Stage<'_>) -> Result,
    ) -> Self {
        let mut fault = Self::met_by_all(name, effect, arrange);
        fault.script.direct = false;
        fault
    }

    /// A row that another part of the tests asserts.
    fn elsewhere(name: &'static str, effect: Effect, whence: &'static str) -> Self {
        let mut fault = Self::met_by_daemon(name, effect, |_| Ok(()));
        fault.place = Place::Elsewhere(whence);
        fault
    }

    fn how(mut self, how: &'static str) -> Self {
        self.how = how;
        self
    }

    fn upset(mut self, upset: fn(&mut Stage<'_>) -> Result) -> Self {
        self.script.upset = Some(upset);
        self
    }

    fn under_load(mut self) -> Self {
        self.script.under_load = true;
        self
    }

    fn restarted(mut self, effect: Effect) -> Self {
        self.script.restarted = Some(effect);
        self
    }

    /// The twelve cells of the row.
    pub fn cells(&self) -> impl Iterator<Item = Cell> {
        let fault = self.name;
        Mode::ALL
            .into_iter()
            .flat_map(move |mode| Held::ALL.map(|held| Cell { fault, mode, held }))
    }
}
