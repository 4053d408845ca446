//! What a host answers while something is broken: every fault that we could think of, under every mode, whatever is held.
//!
//! `table` lists the faults. Each one has an [`Effect`], which is what it amounts to under the rules of
//! `docs/architecture.md`, "Freshness, and what happens when it ends"; and `rules` derives from the effect what each of the
//! twelve cells must answer. So a row can't be written down to fit what the programs happen to do: it says what is
//! broken and what that means, and the rest follows.
//!
//! `family` runs the rows: for each cell a state directory as the host agent itself would have left it, the real
//! `keyroster-agent` against the fault, questions by the real `keyroster-lookup`, and logins by the real sshd. The one thing
//! that must never happen, a key that is let in against the rules, ends the run at once.

mod cell;
mod dns;
mod documents;
mod family;
mod host;
mod judge;
mod listeners;
mod login;
mod matrix;
mod question;
mod rules;
mod stage;
mod table;
mod trial;
mod world;

pub use cell::{Cell, Held, Mode};
pub use family::{Report, run};
pub use matrix::document;
pub use rules::{Effect, Key, Word, expected};
pub use table::{Family, Fault, Place, faults};
