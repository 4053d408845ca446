//! Good, bad and nasty lines.
//!
//! The hand-written ones are filed under what becomes of them; the others are put together at random from their pieces and
//! only have to be read alike by both sides. Nothing of this is kept: keys and lines are made anew for each run, the
//! random ones from a seed.

mod bad;
mod good;
mod nasty;
mod shuffled;

use crate::keys::{KeyName, Keys};

/// One line, and the key that a login with it is tried with.
#[derive(Clone, Debug)]
pub struct Case {
    /// What makes the line worth asking about.
    pub name: String,
    /// The bytes, with whatever ends them.
    pub line: Vec<u8>,
    /// Whose key it holds.
    pub key: KeyName,
    /// What becomes of it.
    pub class: Class,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Both take it, and it logs in.
    Good,
    /// Both take it, but it lets nobody in from here and now.
    Unmet,
    /// Both refuse it.
    Bad,
    /// sshd takes it and we refuse it, on purpose.
    Stricter,
    /// Whatever sshd says, we say too.
    Open,
}

/// Every line of one class.
pub fn of_class(class: Class, keys: &Keys, seed: u64) -> Vec<Case> {
    let mut cases = good::cases(keys);
    cases.extend(bad::cases(keys));
    cases.extend(nasty::cases(keys));
    cases.extend(shuffled::cases(keys, seed));
    cases.retain(|case| case.class == class);
    cases
}

/// A line of options and the Ed25519 key, named after the options.
fn with_options(class: Class, options: &str, keys: &Keys) -> Case {
    Case {
        name: options.chars().take(NAME_CHARACTERS).collect(),
        line: format!("{options} {}\n", keys.line(KeyName::Ed25519)).into_bytes(),
        key: KeyName::Ed25519,
        class,
    }
}

/// A whole line that is not built from options and a key.
fn whole(class: Class, name: &str, key: KeyName, line: impl Into<Vec<u8>>) -> Case {
    Case {
        name: name.to_owned(),
        line: line.into(),
        key,
        class,
    }
}

/// Characters of options that a name shows.
const NAME_CHARACTERS: usize = 100;
