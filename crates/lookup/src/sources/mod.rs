//! The edge: asking each kind of source.

mod agent;
mod child;
mod command;
mod direct;

use std::path::Path;
use std::time::{Duration, Instant};

use keyroster_wire::{Answer, Question, Reason, Request, Response};

use crate::asked::Verb;
use crate::chain::Source;
use crate::check::{self, Expected};
use crate::config::Config;
use crate::deadline::{AGENT_WITHIN, DIRECT_WITHIN, Deadline};
use crate::limits::Limits;
use crate::outcome::{Evidence, Finding, Outcome, Why};

/// Asks sources one question.
pub(crate) struct Asker<'a> {
    /// Where the sources are.
    pub(crate) config: &'a Config,
    /// Which of sshd's two commands this is.
    pub(crate) verb: Verb,
    /// The question.
    pub(crate) question: Question<'a>,
    /// What the lines of an answer must be.
    pub(crate) expected: &'a Expected,
    /// The end of the time for all of them.
    pub(crate) deadline: Deadline,
}

impl Asker<'_> {
    /// Asks `source`, behind which stand so many others.
    pub(crate) fn ask(&self, source: &Source, behind: u32) -> Outcome {
        if self.deadline.has_passed() {
            return Outcome::bare(Finding::TryAgain, Why::NoTime);
        }
        let by = |within| self.deadline.for_source(Instant::now(), within, behind);
        match source {
            Source::Agent => {
                self.key_server(|request| agent::exchange(self.config, request, by(AGENT_WITHIN)))
            }
            Source::Direct => {
                self.key_server(|request| direct::exchange(self.config, request, by(DIRECT_WITHIN)))
            }
            Source::Command(program) => {
                let arguments = [self.question.account.to_owned()];
                self.command(program, &arguments, Limits::DEFAULT, by)
            }
            Source::Named(name) => match self.config.provider(name) {
                Some(provider) => {
                    let arguments = provider.arguments(&self.question);
                    self.command(&provider.program, &arguments, provider.limits, by)
                }
                None => Outcome::bare(Finding::Unavailable, Why::NotStarted),
            },
        }
    }

    fn command(
        &self,
        program: &Path,
        arguments: &[String],
        limits: Limits,
        by: impl FnOnce(Duration) -> Deadline,
    ) -> Outcome {
        let asked = command::Asked {
            program,
            account: self.question.account,
            arguments,
            output_max: limits.output,
        };
        command::ask(&asked, self.expected, by(limits.within))
    }

    fn key_server(&self, exchange: impl FnOnce(&[u8]) -> Result<Vec<u8>, Why>) -> Outcome {
        let request = match self.verb {
            Verb::Keys => Request::Keys(self.question),
            Verb::Principals => Request::Principals(self.question),
        };
        let Ok(request) = request.encode() else {
            return Outcome::bare(Finding::Unavailable, Why::Request);
        };
        match exchange(&request) {
            Ok(frame) => interpret(&frame, self.expected),
            Err(why) => Outcome::bare(undecided(why), why),
        }
    }
}

/// Whether a source that could not decide is worth another attempt.
const fn undecided(why: Why) -> Finding {
    match why {
        Why::Deadline | Why::NoTime | Why::Said(Reason::Busy) => Finding::TryAgain,
        _ => Finding::Unavailable,
    }
}

/// What the frame of a response means for the offered key. The key server is trusted, its responses are checked all the
/// same: one line that is not for the offered key and nothing of it is used.
fn interpret(frame: &[u8], expected: &Expected) -> Outcome {
    let Ok(Response {
        answer,
        epoch,
        revision,
        staleness_ms,
        reason,
    }) = Response::decode(frame)
    else {
        return Outcome::bare(Finding::Unavailable, Why::Protocol);
    };
    let (finding, why) = match answer {
        Answer::Found(lines) => match check::own_lines(&lines, expected) {
            Some(lines) => (Finding::Found(lines), Why::Said(reason)),
            None => (Finding::Unavailable, Why::ForeignLine),
        },
        Answer::None => (Finding::None, Why::Said(reason)),
        Answer::Unavailable => (undecided(Why::Said(reason)), Why::Said(reason)),
    };
    Outcome {
        finding,
        evidence: Evidence {
            why,
            revision: Some((epoch, revision)),
            staleness_ms,
            skipped: 0,
        },
    }
}
