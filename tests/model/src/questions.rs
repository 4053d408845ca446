//! What becomes of a question: what the key server says to it, and what the host makes of that.

use crate::claims::{Answering, wrong_answer};
use crate::host_steps::{Place, Taken};
use crate::machine::{Fate, HostStep, Model};
use crate::rules::Word;
use crate::world::{Asker, Daemon, Doc, FIRST, Host, Memory, Question, Said, Server, Stamp};

/// A question, and where it stands among those of its host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) slot: usize,
    pub(crate) question: &'a Question,
}

impl Model {
    /// What the key server can say to a question, and that nobody hears it.
    pub(crate) fn answers(&self, place: &Place<'_>, asked: Asked<'_>, steps: &mut Vec<Taken>) {
        let Place {
            server,
            number,
            host,
        } = *place;
        let Asked { slot, question } = asked;
        let mut lost = host.clone();
        lost.questions[slot] = None;
        if question.asker == Asker::Daemon {
            steps.push((HostStep::AnswerIsLost { number: slot }, lost, None));
        }
        if question.answer.is_some() {
            return;
        }
        for said in self.said(server, number, question) {
            let mut answered = host.clone();
            answered.questions[slot] = Some(Question {
                answer: Some(said),
                ..*question
            });
            let current = matches!(said, Said::Unchanged | Said::Document(_));
            if current && server.grants() {
                answered.truth.vouch(question.sent);
            }
            let step = HostStep::ServerAnswers { number: slot, said };
            steps.push((step, answered, None));
        }
    }

    /// What the key server says by its state: the newest, or that what the host holds still is, which may be older where nothing
    /// that concerns the host was written since. Another host's snapshot may come by mistake, and an earlier answer again.
    fn said(&self, server: Server, number: u8, question: &Question) -> Vec<Said> {
        if server.is_out(number) {
            return vec![Said::Out];
        }
        let same = question.held.is_some_and(|held| {
            let since = server.revoked_at.is_none_or(|at| at <= held.revision);
            held == server.at || (held.epoch == server.at.epoch && held < server.at && since)
        });
        let mut said = Vec::new();
        if same {
            said.push(Said::Unchanged);
        }
        if question.held != Some(server.at) {
            said.push(Said::Document(server.doc(number)));
        }
        if self.scope.meddling {
            let first = Doc {
                host: number,
                at: FIRST,
                granted: true,
            };
            let vouched = server.at;
            said.push(Said::Document(server.doc(1 - number)));
            for with in [None, Some(first)] {
                said.push(Said::Repeated(with));
                let about = with.map_or(question.held, |doc| Some(doc.at));
                if about != Some(vouched) {
                    said.push(Said::MixedUp { with, vouched });
                }
            }
        }
        said
    }

    pub(crate) fn learns(&self, place: &Place<'_>, asked: Asked<'_>, steps: &mut Vec<Taken>) {
        let Place { number, host, .. } = *place;
        let Asked { slot, question } = asked;
        let Some(Daemon {
            memory: before,
            owes,
        }) = host.daemon
        else {
            return;
        };
        if question.answer.is_none() {
            return;
        }
        let (memory, word) = self.adapter.learn(number, before, question, host.now());
        let news = memory.held != before.held;
        for again in [false, true] {
            if again && !self.scope.repeated {
                continue;
            }
            let mut learned = host.clone();
            learned.daemon = Some(Daemon {
                memory,
                owes: owes || news,
            });
            if !again {
                learned.questions[slot] = None;
            }
            tell(&mut learned.truth.daemon_refused, word, question.sent);
            steps.push((
                HostStep::Learns {
                    number: slot,
                    again,
                },
                learned,
                None,
            ));
        }
    }

    /// A `lookup-once` hears its answer or that there is none, keeps it, answers and ends.
    pub(crate) fn lookup_once_ends(
        &self,
        place: &Place<'_>,
        asked: Asked<'_>,
        before: Memory,
        steps: &mut Vec<Taken>,
    ) {
        let Place {
            server,
            number,
            host,
        } = *place;
        let Asked { slot, question } = asked;
        let (memory, word) = self.adapter.learn(number, before, question, host.now());
        let mut ended = host.clone();
        ended.questions[slot] = None;
        let mut end = |fate: Option<Fate>, host: Host| {
            // What it learned may be old news by now.
            let (memory, refused) = match self.adapter.disk_knows_more(memory, host.disk) {
                true => {
                    let memory = self.adapter.recall(number, host.disk, host.now());
                    (memory, host.truth.disk_refused)
                }
                false => (memory, (word == Word::No).then_some(question.sent)),
            };
            let answering = Answering {
                host: number,
                memory,
                refused,
                by_disk: false,
            };
            let killed = matches!(fate, Some(Fate::KilledAfter(_)));
            let fault = match killed {
                true => None,
                false => wrong_answer(&self.adapter, server, &host, &answering),
            };
            let step = HostStep::LookupOnceEnds { number: slot, fate };
            steps.push((step, host, fault));
        };
        // Another one holds the lock, or there is nothing to keep.
        end(None, ended.clone());
        if word == Word::None {
            return;
        }
        let owed = match question.answer {
            Some(Said::Document(doc)) if memory.held == Some(doc) => Some(doc),
            _ => None,
        };
        for (fate, mut kept) in self.fates(&ended, memory, owed) {
            if fate == Fate::Whole {
                kept.truth
                    .keep(memory, (word == Word::No).then_some(question.sent));
            }
            end(Some(fate), kept);
        }
    }
}

/// A word that was asked for before the refusal takes nothing back.
fn tell(refused: &mut Option<Stamp>, word: Word, sent: Stamp) {
    match word {
        Word::No => *refused = refused.or(Some(sent)),
        Word::Yes if refused.is_some_and(|when| sent.age <= when.age) => *refused = None,
        Word::Yes | Word::None => {}
    }
}
