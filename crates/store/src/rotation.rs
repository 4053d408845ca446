//! The steps of an exchange of the snapshot key or the CA, as the audit log tells of them.
//!
//! Neither stands in the database: what is written here is that somebody makes a step. It is written before the step, so that there is
//! no step without its event; one that was interrupted and is made once more has two.

use keyroster_keys::{Fingerprint, HostName};
use serde_json::json;

use crate::StoreError;
use crate::action::Action;
use crate::audit::Event;
use crate::concerned::Marked;
use crate::error::Object;
use crate::state::RosterState;
use crate::write::Writer;

/// A step of an exchange.
#[derive(Debug, Clone)]
pub struct RotationStep<'a> {
    /// Of what.
    pub what: Rotated,
    /// Which step.
    pub verb: RotationVerb,
    /// The new one.
    pub new: Fingerprint,
    /// The serial of the set that hosts are told.
    pub serial: u64,
    /// The hosts that are not waited for.
    pub abandoned: &'a [HostName],
    /// Who makes it, on the key server's machine.
    pub uid: u32,
}

/// What is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// The snapshot key.
    SnapshotKey,
    /// The CA.
    Ca,
}

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationVerb {
    /// The new one is made known.
    Announce,
    /// The new one takes the place of the old one.
    Switch,
    /// The old one ends.
    Finish,
}

impl Writer<'_> {
    /// Writes down that a step is made.
    ///
    /// # Errors
    /// When the database does not take it; the step must not be made then.
    pub async fn rotate(&self, step: &RotationStep<'_>) -> Result<RosterState, StoreError> {
        let tx = self.begin().await?;
        let object = match step.what {
            Rotated::SnapshotKey => Object::SnapshotKey(step.new),
            Rotated::Ca => Object::Ca(step.new),
        };
        let abandoned: Vec<_> = step.abandoned.iter().map(HostName::as_str).collect();
        let detail = json!({ "abandoned": abandoned, "serial": step.serial, "uid": step.uid });
        let event = Event::new(step.action(), &object, &detail);
        self.commit(tx, event, Marked::NO_HOST).await
    }
}

impl RotationStep<'_> {
    const fn action(&self) -> Action {
        match (self.what, self.verb) {
            (Rotated::SnapshotKey, RotationVerb::Announce) => Action::SnapshotKeyAnnounce,
            (Rotated::SnapshotKey, RotationVerb::Switch) => Action::SnapshotKeySwitch,
            (Rotated::SnapshotKey, RotationVerb::Finish) => Action::SnapshotKeyFinish,
            (Rotated::Ca, RotationVerb::Announce) => Action::CaAnnounce,
            (Rotated::Ca, RotationVerb::Switch) => Action::CaSwitch,
            (Rotated::Ca, RotationVerb::Finish) => Action::CaFinish,
        }
    }
}
