//! What must be answered: the table of `docs/architecture.md`, "Freshness, and what happens when it ends", once more.
//!
//! Written from the document and not from the host agent's code, so that the two check each other.

use crate::cell::{Held, Mode};

/// What a fault amounts to under the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The key server decided nothing: what is held answers by its age.
    Undecided,
    /// The key server said that this host is out.
    Refused,
    /// The key server's word came through: a newer snapshot, in which one key is revoked.
    Decided,
    /// The key server's word came through once, and is stale by now.
    HeardOnce,
    /// The key server's word came through, and by now it lets nobody in.
    Ended,
    /// The machine was started again, and the key server decided nothing: what is held answers by its age, and is never fresh.
    Rebooted,
    /// What is held can't be believed, and nobody can be asked.
    Unbelieved,
    /// There is no host agent that could answer.
    NoAgent,
    /// The key server decided nothing, and the host agent may or may not have what it needs to say so: by its age, or not at all.
    Scarce,
}

/// One of the three answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// The line for the key.
    Found,
    /// An authoritative no.
    None,
    /// It could not be decided.
    Unavailable,
}

/// Which key is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// One that may log in, by what is held and by what the key server would say.
    Granted,
    /// One that may log in by what is held, and that the key server has revoked since.
    Revoked,
    /// One whose time is over by what is held itself.
    Ended,
    /// One that no sound snapshot names. Snapshots that must not be used do.
    Stranger,
}

impl Word {
    /// The word itself.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::None => "none",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Key {
    /// All, the one first that must be found.
    pub const ALL: [Self; 4] = [Self::Granted, Self::Revoked, Self::Ended, Self::Stranger];
}

/// What must be answered about `key` once the fault has had its effect.
///
/// For a break-glass account this is what the host agent says of ordinary keys: the mode of its host is grace.
#[must_use]
pub fn expected(effect: Effect, mode: Mode, held: Held, key: Key) -> Word {
    match effect {
        Effect::Undecided | Effect::Scarce => by_age(mode, held, key),
        Effect::Rebooted if held == Held::Fresh => by_age(mode, Held::Stale, key),
        Effect::Rebooted => by_age(mode, held, key),
        Effect::Refused | Effect::Ended => Word::None,
        Effect::HeardOnce => match (mode, key) {
            (Mode::Strict, _) => Word::Unavailable,
            (Mode::Grace | Mode::BreakGlass, Key::Granted) => Word::Found,
            (Mode::Grace | Mode::BreakGlass, _) => Word::None,
        },
        Effect::Decided if key == Key::Granted => Word::Found,
        Effect::Decided => Word::None,
        Effect::Unbelieved | Effect::NoAgent => Word::Unavailable,
    }
}

/// Whether "unavailable" is as good an answer as the expected one.
#[must_use]
pub fn may_fall_silent(effect: Effect) -> bool {
    effect == Effect::Scarce
}

/// What must be answered about `key` before the key server has been heard.
#[must_use]
pub fn before(effect: Effect, mode: Mode, held: Held, key: Key) -> Word {
    match effect {
        Effect::Unbelieved | Effect::NoAgent | Effect::Rebooted => {
            expected(effect, mode, held, key)
        }
        _ => by_age(mode, held, key),
    }
}

fn by_age(mode: Mode, held: Held, key: Key) -> Word {
    let answers = match (held, mode) {
        (Held::Fresh, _) | (Held::Stale, Mode::Grace | Mode::BreakGlass) => true,
        (Held::Nothing | Held::Expired, _) | (Held::Stale, Mode::Strict) => false,
    };
    match key {
        _ if !answers => Word::Unavailable,
        Key::Granted | Key::Revoked => Word::Found,
        Key::Ended | Key::Stranger => Word::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFECTS: [Effect; 9] = [
        Effect::Undecided,
        Effect::Refused,
        Effect::Decided,
        Effect::HeardOnce,
        Effect::Ended,
        Effect::Rebooted,
        Effect::Unbelieved,
        Effect::NoAgent,
        Effect::Scarce,
    ];

    #[test]
    fn no_cell_of_any_fault_lets_a_stranger_or_an_ended_key_in() {
        for effect in EFFECTS {
            for (mode, held) in Mode::ALL
                .into_iter()
                .flat_map(|mode| Held::ALL.map(|held| (mode, held)))
            {
                for key in [Key::Stranger, Key::Ended] {
                    assert_ne!(expected(effect, mode, held, key), Word::Found);
                    assert_ne!(before(effect, mode, held, key), Word::Found);
                }
            }
        }
    }

    #[test]
    fn a_key_server_that_decides_nothing_leaves_the_table_of_the_architecture() {
        let (found, unavailable) = (Word::Found, Word::Unavailable);
        for (mode, words) in [
            (Mode::Strict, [unavailable, found, unavailable, unavailable]),
            (Mode::Grace, [unavailable, found, found, unavailable]),
        ] {
            let cells = Held::ALL.map(|held| expected(Effect::Undecided, mode, held, Key::Granted));
            assert_eq!(cells, words, "{mode:?}");
        }
    }

    #[test]
    fn a_revoked_key_is_refused_wherever_the_revocation_has_been_heard_of() {
        for held in Held::ALL {
            assert_eq!(
                expected(Effect::Decided, Mode::Grace, held, Key::Revoked),
                Word::None
            );
        }
    }
}
