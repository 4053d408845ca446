//! One answer from an ordered list of sources. Pure: asking is the caller's.
//!
//! Sources are asked in order. A source that finds ends the search. After any other outcome the source's action says
//! whether the next one is asked (`continue`, the default) or the search ends (`return`).
//!
//! `agent` and `direct` are two ways to **one authority**, the key server. Once one of them has said no, the other is not
//! asked, as if it had said the same, and its own actions apply. Otherwise an older copy could override a newer no, and each refused key
//! would cost a fetch over the network. Each `command:` is an authority of its own.
//!
//! A search that found nothing is an authoritative no only if **every authority that was asked has said no**. The key server has, when
//! either of its ways has; that the other was out of reach does not matter then. One authority that could not decide makes the
//! answer unavailable, whatever the others said and whichever action ended the search: `unavailable` never turns into `none`.
//!
//! What is found behind an authority that said no, or could not decide, counts: that is what `continue` asks for. A key
//! server whose no shall be final needs `[NOTFOUND=return]`, and one without whose word nobody shall get in needs
//! `[!SUCCESS=return]`.

use crate::chain::{Action, Actions, Chain, Source, Step};
use crate::outcome::{Evidence, Finding, Outcome, Why};

/// The answer, with how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision<'a> {
    /// One of the three answers.
    pub(crate) answer: Answer,
    /// The source that decided: the one that found, or else one that could not decide, or else the last that said no.
    pub(crate) decider: Option<&'a Source>,
    /// What stands behind that source's outcome.
    pub(crate) evidence: Evidence,
    /// Every source that the search came past, in order, with its word for the log.
    pub(crate) trail: Vec<(&'a Source, &'static str)>,
}

/// The three answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Answer {
    /// Lines to print.
    Found(Vec<String>),
    /// An authoritative no.
    None,
    /// It could not be decided.
    Unavailable,
}

impl Answer {
    /// The word for the log.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::None => "none",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Asks the sources of `chain` in order and combines what they say. `ask` is told how many stand behind a source.
pub(crate) fn decide<'a>(
    chain: &'a Chain,
    mut ask: impl FnMut(&Source, u32) -> Outcome,
) -> Decision<'a> {
    let mut search = Search::default();
    let behind = (0..chain.count()).rev();
    for (Step { source, actions }, behind) in chain.steps().iter().zip(behind) {
        let outcome = if source.is_key_server() && search.key_server_said_no() {
            Outcome::bare(Finding::None, Why::AlreadyRefused)
        } else {
            ask(source, behind)
        };
        search.trail.push((source, outcome.finding.word()));
        let Outcome { finding, evidence } = outcome;
        if let Finding::Found(lines) = finding {
            let Search { trail, .. } = search;
            return Decision {
                answer: Answer::Found(lines),
                decider: Some(source),
                evidence,
                trail,
            };
        }
        if search.note(source, &finding, evidence, *actions) == Action::Return {
            break;
        }
    }
    search.end()
}

/// A search that has found nothing so far.
#[derive(Default)]
struct Search<'a> {
    trail: Vec<(&'a Source, &'static str)>,
    key_server: Standing<'a>,
    provider: Standing<'a>,
}

/// What an authority has said so far: the key server by either of its ways, or all providers' commands together.
#[derive(Default)]
enum Standing<'a> {
    #[default]
    NotAsked,
    SaidNo(&'a Source, Evidence),
    Undecided(&'a Source, Evidence),
}

impl<'a> Search<'a> {
    const fn key_server_said_no(&self) -> bool {
        matches!(self.key_server, Standing::SaidNo(..))
    }

    /// Takes note of an outcome without lines; what to do then.
    fn note(
        &mut self,
        source: &'a Source,
        finding: &Finding,
        evidence: Evidence,
        actions: Actions,
    ) -> Action {
        let no = *finding == Finding::None;
        if source.is_key_server() {
            // Its no counts whichever way it came by, and is never taken back.
            if no && !self.key_server_said_no() {
                self.key_server = Standing::SaidNo(source, evidence);
            } else if !no {
                self.key_server = Standing::Undecided(source, evidence);
            }
        } else if !no {
            self.provider = Standing::Undecided(source, evidence);
        } else if !matches!(self.provider, Standing::Undecided(..)) {
            self.provider = Standing::SaidNo(source, evidence);
        }
        match finding {
            Finding::TryAgain => actions.try_again,
            Finding::Unavailable => actions.unavailable,
            Finding::None | Finding::Found(_) => actions.not_found,
        }
    }

    /// The answer of a search that has come to its end and found nothing.
    fn end(self) -> Decision<'a> {
        let Self {
            trail,
            key_server,
            provider,
        } = self;
        let (answer, decider, evidence) = match (key_server, provider) {
            (Standing::Undecided(source, evidence), _)
            | (_, Standing::Undecided(source, evidence)) => {
                (Answer::Unavailable, Some(source), evidence)
            }
            (Standing::SaidNo(source, evidence), _) | (_, Standing::SaidNo(source, evidence)) => {
                (Answer::None, Some(source), evidence)
            }
            // Not reached: a chain has a step. Were it, nobody has said no.
            (Standing::NotAsked, Standing::NotAsked) => (
                Answer::Unavailable,
                None,
                Outcome::bare(Finding::Unavailable, Why::NoTime).evidence,
            ),
        };
        Decision {
            answer,
            decider,
            evidence,
            trail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `chain` over scripted outcomes; a source that is asked without a script fails the test.
    fn search(chain: &str, script: &[Finding]) -> (Answer, usize) {
        let chain = Chain::parse(chain).unwrap();
        let mut script = script.iter();
        let mut asked = 0;
        let decision = decide(&chain, |source, _| {
            asked += 1;
            let finding = script
                .next()
                .unwrap_or_else(|| panic!("{source} was asked, and should not be"));
            Outcome::bare(finding.clone(), Why::Provider)
        });
        (decision.answer, asked)
    }

    fn found() -> Finding {
        Finding::Found(vec!["line".to_owned()])
    }

    const BOTH: &str = "agent direct";
    const OTHER: &str = "agent command:/x";
    const SHIPPED: &str = "agent [UNAVAIL=continue] direct [NOTFOUND=return] command:/x";

    #[test]
    fn the_first_source_that_finds_ends_the_search() {
        assert_eq!(
            search(SHIPPED, &[found()]),
            (Answer::Found(vec!["line".to_owned()]), 1)
        );
        assert_eq!(search(OTHER, &[Finding::None, found()]).0.word(), "found");
        assert_eq!(
            search(OTHER, &[Finding::Unavailable, found()]).0.word(),
            "found"
        );
    }

    #[test]
    fn a_no_of_the_key_server_is_not_asked_for_a_second_time() {
        assert_eq!(search(BOTH, &[Finding::None]), (Answer::None, 1));
        assert_eq!(search("direct agent", &[Finding::None]), (Answer::None, 1));
    }

    #[test]
    fn the_actions_of_the_way_that_was_left_out_still_apply() {
        assert_eq!(search(SHIPPED, &[Finding::None]), (Answer::None, 1));
        assert_eq!(
            search("agent direct command:/x", &[Finding::None, Finding::None]),
            (Answer::None, 2)
        );
    }

    #[test]
    fn the_second_way_to_the_key_server_decides_when_the_first_could_not() {
        assert_eq!(
            search(BOTH, &[Finding::Unavailable, Finding::None]),
            (Answer::None, 2)
        );
        assert_eq!(
            search(BOTH, &[Finding::TryAgain, found()]).0.word(),
            "found"
        );
        assert_eq!(
            search(BOTH, &[Finding::TryAgain, Finding::Unavailable]).0,
            Answer::Unavailable
        );
    }

    #[test]
    fn unavailable_never_turns_into_none() {
        for undecided in [Finding::Unavailable, Finding::TryAgain] {
            assert_eq!(
                search(OTHER, &[undecided.clone(), Finding::None]).0,
                Answer::Unavailable
            );
            assert_eq!(
                search(OTHER, &[Finding::None, undecided.clone()]).0,
                Answer::Unavailable
            );
            let chain = "agent command:/x [NOTFOUND=return]";
            assert_eq!(
                search(chain, &[undecided.clone(), Finding::None]).0,
                Answer::Unavailable
            );
            let chain = "command:/x command:/y agent";
            let script = [undecided, Finding::None, Finding::None];
            assert_eq!(search(chain, &script).0, Answer::Unavailable);
        }
    }

    #[test]
    fn return_ends_the_search_at_its_status_and_at_no_other() {
        let chain = "agent [NOTFOUND=return] command:/x";
        assert_eq!(search(chain, &[Finding::None]), (Answer::None, 1));
        assert_eq!(search(chain, &[Finding::Unavailable, found()]).1, 2);
        let chain = "agent [UNAVAIL=return] command:/x";
        assert_eq!(
            search(chain, &[Finding::Unavailable]),
            (Answer::Unavailable, 1)
        );
        assert_eq!(search(chain, &[Finding::TryAgain, found()]).1, 2);
        let chain = "agent [TRYAGAIN=return] command:/x";
        assert_eq!(
            search(chain, &[Finding::TryAgain]),
            (Answer::Unavailable, 1)
        );
        let chain = "agent [!SUCCESS=return] command:/x";
        for finding in [Finding::None, Finding::Unavailable, Finding::TryAgain] {
            assert_eq!(search(chain, &[finding]).1, 1);
        }
    }

    #[test]
    fn the_trail_names_every_source_that_was_passed() {
        let chain = Chain::parse("agent direct command:/x").unwrap();
        let decision = decide(&chain, |_, _| Outcome::bare(Finding::None, Why::Provider));
        let trail: Vec<_> = decision
            .trail
            .iter()
            .map(|(source, word)| format!("{source}:{word}"))
            .collect();
        assert_eq!(trail, ["agent:none", "direct:none", "command:/x:none"]);
        assert_eq!(decision.decider, Some(&Source::Agent));
        assert_eq!(decision.evidence.why, Why::Provider);
    }
    #[test]
    fn each_source_is_asked_with_the_number_of_those_behind_it() {
        let chain = Chain::parse("agent direct command:/x command:/y").unwrap();
        let mut asked = Vec::new();
        let _decision = decide(&chain, |source, behind| {
            asked.push((source.to_string(), behind));
            Outcome::bare(Finding::None, Why::Provider)
        });
        let expected = [("agent", 3), ("command:/x", 1), ("command:/y", 0)];
        assert_eq!(
            asked,
            expected.map(|(name, behind)| (name.to_owned(), behind))
        );
    }
}
