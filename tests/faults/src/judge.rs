//! Whether an answer is the one that the rules have, and what it is if not.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::cell::Cell;
use crate::rules::{Key, Word};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flaw {
    /// A key was let in that the rules keep out. Nothing is worse.
    WrongAllow(String),
    /// Another answer than the one that the rules have.
    WrongAnswer(String),
    /// The answer came after sshd should have had it.
    Late(String),
    /// The cell could not be tried.
    Fixture(String),
}

/// What to make of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As the rules have it.
    Right,
    /// Nothing could be decided, although the rules do decide. On a busy machine this may pass; it lets nobody in.
    Undecided,
    /// Not as the rules have it.
    Wrong(Flaw),
}

/// Judges an answer by the words that are right.
pub(crate) fn judge(cell: Cell, key: Key, told: Word, right: &[Word]) -> Verdict {
    if right.contains(&told) {
        return Verdict::Right;
    }
    let expected: Vec<&str> = right.iter().map(|word| word.as_str()).collect();
    let what = format!(
        "{cell}: the {key:?} key is answered {}, and not {}",
        told.as_str(),
        expected.join(" or ")
    );
    match told {
        Word::Found => Verdict::Wrong(Flaw::WrongAllow(what)),
        Word::None => Verdict::Wrong(Flaw::WrongAnswer(what)),
        Word::Unavailable => Verdict::Undecided,
    }
}

/// What has been seen in the cells of one run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) asserted: BTreeSet<Cell>,
    pub(crate) flaws: Vec<Flaw>,
    pub(crate) questions: usize,
    /// Questions that were asked again because nothing was decided the first time.
    pub(crate) again: usize,
    pub(crate) slowest: Duration,
    /// Medians of answers from a fresh snapshot.
    pub(crate) fresh: Vec<Duration>,
}

impl Tally {
    /// Whether somebody was let in against the rules.
    pub(crate) fn wrong_allow(&self) -> bool {
        self.flaws
            .iter()
            .any(|flaw| matches!(flaw, Flaw::WrongAllow(_)))
    }

    /// Adds what another one saw.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.asserted.extend(other.asserted);
        self.flaws.extend(other.flaws);
        self.questions += other.questions;
        self.again += other.again;
        self.slowest = self.slowest.max(other.slowest);
        self.fresh.extend(other.fresh);
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongAllow(what) => write!(f, "WRONG ALLOW: {what}"),
            Self::WrongAnswer(what) => write!(f, "wrong answer: {what}"),
            Self::Late(what) => write!(f, "too late: {what}"),
            Self::Fixture(what) => write!(f, "could not be tried: {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{Held, Mode};

    const CELL: Cell = Cell {
        fault: "x",
        mode: Mode::Grace,
        held: Held::Expired,
    };

    #[test]
    fn a_key_that_is_found_where_the_rules_have_another_word_is_a_wrong_allow() {
        for right in [Word::None, Word::Unavailable] {
            let verdict = judge(CELL, Key::Granted, Word::Found, &[right]);
            assert!(matches!(verdict, Verdict::Wrong(Flaw::WrongAllow(_))));
        }
    }

    #[test]
    fn only_what_was_not_decided_may_be_asked_again() {
        let asked = |told, right| judge(CELL, Key::Granted, told, &[right]);
        assert_eq!(asked(Word::Unavailable, Word::Found), Verdict::Undecided);
        assert!(matches!(
            asked(Word::None, Word::Found),
            Verdict::Wrong(Flaw::WrongAnswer(_))
        ));
        assert!(matches!(
            asked(Word::None, Word::Unavailable),
            Verdict::Wrong(Flaw::WrongAnswer(_))
        ));
        assert_eq!(asked(Word::None, Word::None), Verdict::Right);
    }

    #[test]
    fn a_wrong_allow_stands_before_every_other_flaw() {
        let mut flaws = [
            Flaw::Fixture(String::new()),
            Flaw::Late(String::new()),
            Flaw::WrongAllow(String::new()),
        ];
        flaws.sort();
        assert!(matches!(flaws[0], Flaw::WrongAllow(_)));
    }
}
