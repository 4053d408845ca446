//! The answer to one question, from what is known.

use keyroster_api::snapshot::Tag;
use keyroster_keys::AccountName;
use keyroster_roster::{Freshness, effective_account};
use keyroster_wire::{Question, Reason};

use crate::core::freshness::{Age, Standing, standing};
use crate::core::held::{Held, Lines};
use crate::core::knowledge::Knowledge;
use crate::core::moment::Moment;

/// Who wants to log in and with which key, checked.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The account whose grants answer: for uid 0 it is `root`, whatever its name.
    pub account: AccountName,
    /// The key's type.
    pub key_type: &'a str,
    /// The key in base64.
    pub key_base64: &'a str,
}

/// How far a question has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// The key server may still be asked on its behalf.
    MayAsk,
    /// It was asked in vain, or may not be asked now: decide by what is known.
    LastWord,
}

/// What to do with a question.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// Answer this.
    Answer(Answer),
    /// Ask the key server first, then resolve again with [`Effort::LastWord`].
    Revalidate,
}

/// An answer with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// One of the three.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What it was decided by.
    pub tag: Option<Tag>,
    /// How long ago the key server vouched for that.
    pub age: Age,
}

impl Answer {
    /// It could not be decided, for a reason of our own.
    #[must_use]
    pub fn undecided() -> Self {
        Self {
            verdict: Verdict::Unavailable,
            reason: Reason::Internal,
            tag: None,
            age: Age::Unknown,
        }
    }
}

/// The three answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This line.
    Found(String),
    /// An authoritative no.
    None,
    /// It could not be decided.
    Unavailable,
}

/// Where rendered lines come from: the snapshot itself, or a cache before it.
pub trait LineSource {
    /// What `held` says about the key that is asked for.
    fn lines(&self, held: &Held, asked: &Asked<'_>) -> std::sync::Arc<Lines>;
}

impl<'a> Asked<'a> {
    /// Checks a question; none for an account that can have no grants.
    #[must_use]
    pub fn parse(question: &Question<'a>) -> Option<Self> {
        // By number: the name under which uid 0 was reached need not be one that we would allow.
        let account = if question.uid == 0 {
            AccountName::root()
        } else {
            effective_account(&AccountName::parse(question.account).ok()?, question.uid)
        };
        Some(Self {
            account,
            key_type: question.key_type,
            key_base64: question.key_base64,
        })
    }
}

/// Resolves a question. See `docs/architecture.md`, "Freshness", for the table that this is.
pub fn resolve(
    known: &Knowledge,
    asked: &Asked<'_>,
    now: &Moment,
    effort: Effort,
    source: &impl LineSource,
) -> Resolution {
    let age = known
        .confirmed
        .map_or(Age::Unknown, |confirmed| confirmed.age(now));
    let tag = known.held.as_ref().map(|held| held.tag());
    let answer = |verdict, reason| {
        Resolution::Answer(Answer {
            verdict,
            reason,
            tag,
            age,
        })
    };
    let rules = known
        .held
        .as_ref()
        .map_or_else(Freshness::default, |held| held.freshness());
    let standing = standing(age, rules);
    let knows_nothing = known.held.is_none() && known.refused.is_none();
    if effort == Effort::MayAsk && (standing != Standing::Fresh || knows_nothing) {
        return Resolution::Revalidate;
    }
    if known.refused.is_some() {
        return answer(Verdict::None, Reason::HostRefused);
    }
    let (Some(held), Some(confirmed)) = (&known.held, &known.confirmed) else {
        // A snapshot without any confirmation has an age that nobody knows.
        let reason = if known.held.is_none() {
            Reason::NoSnapshot
        } else {
            Reason::Clock
        };
        return answer(Verdict::Unavailable, reason);
    };
    let granted = match standing {
        Standing::Fresh => Reason::Granted,
        Standing::WithinGrace => Reason::GrantedStale,
        Standing::StrictlyStale => return answer(Verdict::Unavailable, Reason::StrictStale),
        Standing::PastGrace => return answer(Verdict::Unavailable, Reason::PastGrace),
        Standing::AgeUnknown => return answer(Verdict::Unavailable, Reason::Clock),
    };
    let lines = source.lines(held, asked);
    match lines.at(confirmed.judged_at(now)) {
        None if lines.spans.is_empty() => answer(Verdict::None, Reason::NoGrant),
        None => answer(Verdict::None, Reason::OutsideValidity),
        Some(span) => match &span.line {
            Some(line) => answer(Verdict::Found(line.clone()), granted),
            None => answer(Verdict::Unavailable, Reason::Internal),
        },
    }
}

#[cfg(test)]
mod tests;
