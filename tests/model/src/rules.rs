//! The rules as the model calls them: the host agent's own code, and beside it each way to break them on purpose.
//!
//! A check that finds nothing proves nothing until it has been seen to find something. So each [`Rules`] but the first breaks
//! one rule, at the border between the model and the code, and the check must find a way to a wrong answer.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use keyroster_agent::core::accept::Refusal;
use keyroster_agent::core::freshness::{Age, standing};
use keyroster_agent::core::knowledge::{Failure, Knowledge, Outcome};
use keyroster_agent::core::resolver::{Answer, Effort, Resolution, Verdict, resolve};
use keyroster_agent::state::files::{CONFIRMED, ConfirmedFile};
use keyroster_agent::state::memory::Doubt;
use keyroster_agent::state::recall::{Document, SmallFiles, Write, recall, removals, writes};
use keyroster_api::freshness::ModeText;

use crate::clocks::{confirmation, moment, stamp};
use crate::documents::{BLOB, Heard, Library, asked, at, tag};
use crate::world::{At, Confirmed, Disk, Doc, FIRST, Memory, Question, Said, Stamp};

/// The rules, or all of them but one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// As they are.
    Whole,
    /// An older snapshot is accepted after a newer one.
    HighWaterIgnored,
    /// Another host's snapshot is accepted.
    OtherHostAccepted,
    /// A heartbeat for another question counts.
    HeartbeatIgnored,
    /// A heartbeat vouches for whatever it comes with.
    ContradictionIgnored,
    /// A confirmation is dated to the answer and not to the question.
    ConfirmedOnArrival,
    /// A failure to decide counts as a confirmation.
    ConfirmedByFailure,
    /// An age is told by the wall clock within a boot as well.
    WallClockTrusted,
    /// An age by the wall clock is as good as one by the boot clock.
    ReckonedIsFresh,
    /// How old a confirmation was when a later boot found it is forgotten.
    FoundForgotten,
    /// A wall clock that went backwards counts as one that stood still.
    BackwardsIsNow,
    /// Grace never ends.
    GraceWithoutEnd,
    /// The mode `strict` is taken for `grace`.
    StrictIsGrace,
    /// A refusal is answered by what is held.
    RefusalIgnored,
    /// A refusal is not kept on disk.
    RefusalNotKept,
    /// What can't be written leaves what is there as it is.
    NothingRemoved,
    /// What is not on disk yet is named in questions.
    NamedBeforeKept,
    /// What another process left on the disk is not looked at before it is overwritten.
    LateAnswerOverwrites,
}

/// What is written to the disk, as the model has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Snapshot(Doc),
    HighWater(At),
    Confirmed(Confirmed),
}

/// What the key server's answer comes to for the host that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// It is in.
    Yes,
    /// It is out.
    No,
    /// Nothing was decided.
    None,
}

/// The rules at work for one host.
pub(crate) struct Adapter {
    pub(crate) rules: Rules,
    pub(crate) library: Library,
    sighted: RefCell<BTreeSet<String>>,
    learned: Memo<(u8, Memory, Question, Stamp), (Memory, Word)>,
    recalled: Memo<(u8, Disk, Stamp), Memory>,
    found: Memo<(Memory, Stamp, &'static str), bool>,
    written: Memo<(Memory, Option<Doc>, Disk), Vec<Written>>,
}

/// The rules are functions of what they are given, so each case is asked once.
struct Memo<K, V>(RefCell<HashMap<K, V>>);

impl<K: Copy + Eq + Hash, V: Clone> Memo<K, V> {
    fn get(&self, key: K, ask: impl FnOnce() -> V) -> V {
        if let Some(value) = self.0.borrow().get(&key) {
            return value.clone();
        }
        let value = ask();
        self.0.borrow_mut().insert(key, value.clone());
        value
    }
}

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl Adapter {
    pub(crate) fn new(rules: Rules, library: Library) -> Self {
        Self {
            rules,
            library,
            sighted: RefCell::default(),
            learned: Memo::default(),
            recalled: Memo::default(),
            found: Memo::default(),
            written: Memo::default(),
        }
    }

    /// Everything of interest that was ever met, so that what is claimed is not claimed of nothing.
    pub(crate) fn sighted(&self) -> BTreeSet<String> {
        self.sighted.borrow().clone()
    }

    fn sight(&self, what: String) {
        self.sighted.borrow_mut().insert(what);
    }

    /// What is known after `question` was answered.
    pub(crate) fn learn(
        &self,
        host: u8,
        memory: Memory,
        question: &Question,
        now: Stamp,
    ) -> (Memory, Word) {
        self.learned.get((host, memory, *question, now), || {
            self.ask_learn(host, memory, question, now)
        })
    }

    fn ask_learn(
        &self,
        host: u8,
        memory: Memory,
        question: &Question,
        now: Stamp,
    ) -> (Memory, Word) {
        let outcome = self.outcome(host, question);
        self.sight(format!("outcome {}", name(&outcome)));
        let sent = match self.rules {
            Rules::ConfirmedOnArrival => now,
            _ => question.sent,
        };
        let mut known = self.known(memory);
        if self.rules == Rules::HighWaterIgnored {
            known.seen = tag(FIRST);
            known.confirmed = None;
        }
        let known = known.after(&outcome, &moment(sent));
        let mut after = self.memory(&known);
        match (&outcome, self.rules) {
            (Outcome::Refused { .. }, Rules::RefusalIgnored) => after.refused = false,
            (Outcome::Failed(_), Rules::ConfirmedByFailure) => after.confirmed = Some(sent),
            _ => {}
        }
        let word = match outcome {
            Outcome::Accepted { .. } | Outcome::NotModified { .. } => Word::Yes,
            Outcome::Refused { .. } => Word::No,
            Outcome::Failed(_) => Word::None,
        };
        (after, word)
    }

    fn outcome(&self, host: u8, question: &Question) -> Outcome {
        let own = |at| Heard { at, own: true };
        let other = |at| Heard { at, own: false };
        let decided = match question.answer {
            None => Err(Failure::Transport("lost".to_owned())),
            Some(Said::Out) => Ok(Outcome::Refused { status: OUT }),
            Some(Said::Unchanged) => self.unchanged(host, question, question.held.map(own)),
            Some(Said::Document(doc)) => self.document(host, question, doc, own(doc.at)),
            Some(Said::Repeated(None)) => self.unchanged(host, question, question.held.map(other)),
            Some(Said::Repeated(Some(doc))) => self.document(host, question, doc, other(doc.at)),
            Some(Said::MixedUp {
                with: None,
                vouched,
            }) => self.unchanged(host, question, Some(own(vouched))),
            Some(Said::MixedUp {
                with: Some(doc),
                vouched,
            }) => self.document(host, question, doc, own(vouched)),
        };
        decided.unwrap_or_else(Outcome::Failed)
    }

    fn unchanged(
        &self,
        host: u8,
        question: &Question,
        heard: Option<Heard>,
    ) -> Result<Outcome, Failure> {
        let (held, heard) = question.held.zip(heard).ok_or(Failure::Status(304))?;
        let server_time_s = self.vouched(host, heard, question.seen, held)?;
        Ok(Outcome::NotModified { server_time_s })
    }

    fn document(
        &self,
        host: u8,
        question: &Question,
        doc: Doc,
        heard: Heard,
    ) -> Result<Outcome, Failure> {
        let judge = match self.rules {
            Rules::OtherHostAccepted => doc.host,
            _ => host,
        };
        let seen = match self.rules {
            Rules::HighWaterIgnored => FIRST,
            _ => question.seen,
        };
        let server_time_s = self.vouched(host, heard, seen, doc.at)?;
        let held = self.library.accept(doc, judge, seen)?;
        Ok(Outcome::Accepted {
            held,
            server_time_s,
        })
    }

    /// The key server's time, if this heartbeat vouches for what was answered.
    fn vouched(&self, host: u8, heard: Heard, seen: At, answered: At) -> Result<i64, Failure> {
        let heard = match self.rules {
            Rules::HeartbeatIgnored => Heard { own: true, ..heard },
            _ => heard,
        };
        let vouched = self.library.vouched(host, heard, seen)?;
        match self.rules {
            Rules::ContradictionIgnored => Ok(vouched.server_time_s()),
            _ => vouched.confirms(tag(answered)),
        }
    }

    /// What a process knows that begins with this disk.
    pub(crate) fn recall(&self, host: u8, disk: Disk, now: Stamp) -> Memory {
        self.recalled
            .get((host, disk, now), || self.ask_recall(host, disk, now))
    }

    fn ask_recall(&self, host: u8, disk: Disk, now: Stamp) -> Memory {
        let small = small_files(disk);
        let snapshot = |seen, _time_s| match disk.snapshot {
            None => Ok(None),
            Some(doc) => Ok(Some(self.library.accept(doc, host, at(seen))?)),
        };
        let (known, doubts) = recall(small, tag(FIRST), &moment(now), snapshot);
        for doubt in doubts {
            self.sight(format!("doubt {}", word(&doubt)));
        }
        let mut memory = self.memory(&known);
        if self.rules == Rules::FoundForgotten {
            memory
                .confirmed
                .iter_mut()
                .for_each(|when| when.least = None);
        }
        memory
    }

    /// What is written to keep this, in order.
    pub(crate) fn writes(&self, memory: Memory, owed: Option<Doc>, disk: Disk) -> Vec<Written> {
        self.written
            .get((memory, owed, disk), || self.ask_writes(memory, owed, disk))
    }

    fn ask_writes(&self, memory: Memory, owed: Option<Doc>, disk: Disk) -> Vec<Written> {
        let document = owed.map(|doc| Document::Snapshot(self.library.signed(doc)));
        let known = self.known(memory);
        let there = match self.rules {
            Rules::LateAnswerOverwrites => SmallFiles::default(),
            _ => small_files(disk),
        };
        writes(&known, document.as_ref(), &there)
            .into_iter()
            .filter_map(|write| match write {
                Write::Snapshot(_) => owed.map(Written::Snapshot),
                // Updates come to the same snapshots; `state/journal` has its own tests.
                Write::NoJournal | Write::Update(_) => None,
                Write::HighWater(seen) => Some(Written::HighWater(at(seen))),
                Write::Confirmed(file) => Some(Written::Confirmed(self.confirmed(&file))),
            })
            .collect()
    }

    /// Removes what may not stay after a writing that failed, one after the other.
    pub(crate) fn removals(&self, memory: Memory, mut disk: Disk) -> Vec<Disk> {
        if self.rules == Rules::NothingRemoved {
            return Vec::new();
        }
        let remove = |name: &&str| {
            match *name {
                CONFIRMED => disk.confirmed = None,
                _ => disk.snapshot = None,
            }
            disk
        };
        removals(&self.known(memory)).iter().map(remove).collect()
    }

    /// Whether this key is let in by what is known, when the key server can't be asked any more.
    pub(crate) fn found(&self, memory: Memory, now: Stamp, blob: &'static str) -> bool {
        self.found.get((memory, now, blob), || {
            matches!(self.last_word(memory, now, blob).verdict, Verdict::Found(_))
        })
    }

    fn last_word(&self, memory: Memory, now: Stamp, blob: &str) -> Answer {
        let known = self.known(self.bent(memory, now));
        let resolved = |effort| resolve(&known, &asked(blob), &moment(now), effort, &self.library);
        let Resolution::Answer(answer) = resolved(Effort::LastWord) else {
            panic!("the last word was a question");
        };
        if let Resolution::Answer(first) = resolved(Effort::MayAsk) {
            // The two calls of one login must not hear different things.
            assert_eq!(first, answer);
            self.sight("answered without asking".to_owned());
        }
        self.sight(format!("reason {:?}", answer.reason));
        if let Some(held) = &known.held {
            let age = known
                .confirmed
                .map_or(Age::Unknown, |c| c.age(&moment(now)));
            self.sight(format!("standing {:?}", standing(age, held.freshness())));
        }
        answer
    }

    /// Whether a login has to ask the key server first.
    pub(crate) fn revalidates(&self, memory: Memory, now: Stamp) -> bool {
        let known = self.known(self.bent(memory, now));
        let asked = asked(BLOB);
        let resolution = resolve(&known, &asked, &moment(now), Effort::MayAsk, &self.library);
        resolution == Resolution::Revalidate
    }

    /// The memory as a broken rule would see it.
    fn bent(&self, memory: Memory, now: Stamp) -> Memory {
        let Some(when) = memory.confirmed else {
            return memory;
        };
        let host = memory.held.map_or(0, |doc| doc.host);
        let bounds = self.library.bounds(host);
        let reckoned = when.age_by_wall(now.ahead);
        let of_this_boot = |age| Stamp { age, ..now };
        let when = match self.rules {
            Rules::ReckonedIsFresh if when.boot != now.boot => {
                u8::try_from(reckoned).map_or(when, of_this_boot)
            }
            Rules::WallClockTrusted if when.boot == now.boot => {
                u8::try_from(reckoned).map_or(when, of_this_boot)
            }
            Rules::BackwardsIsNow if when.boot != now.boot && reckoned < 0 => Stamp {
                age: 0,
                ahead: now.ahead,
                ..when
            },
            Rules::GraceWithoutEnd if bounds.mode == ModeText::Grace => Stamp {
                age: when.age.min(bounds.grace),
                ..when
            },
            Rules::StrictIsGrace if when.age <= bounds.grace => of_this_boot(0),
            _ => when,
        };
        Memory {
            confirmed: Some(when),
            ..memory
        }
    }

    fn known(&self, memory: Memory) -> Knowledge {
        Knowledge {
            held: memory.held.map(|doc| self.library.held(doc)),
            confirmed: memory.confirmed.map(confirmation),
            refused: memory.refused.then_some(OUT),
            seen: tag(memory.seen),
        }
    }

    fn memory(&self, known: &Knowledge) -> Memory {
        Memory {
            held: known
                .held
                .as_ref()
                .map(|held: &Arc<_>| self.library.doc(held)),
            confirmed: known.confirmed.as_ref().map(stamp),
            refused: known.refused.is_some(),
            seen: at(known.seen),
        }
    }

    /// Whether what another process left on this disk is more than what is known.
    pub(crate) fn disk_knows_more(&self, memory: Memory, disk: Disk) -> bool {
        small_files(disk).know_more(&self.known(memory))
    }

    fn confirmed(&self, file: &ConfirmedFile) -> Confirmed {
        let small = |number: u64| u8::try_from(number).unwrap();
        let of = file.epoch.zip(file.revision).map(|(epoch, revision)| At {
            epoch: small(epoch),
            revision: small(revision),
        });
        Confirmed {
            of,
            when: stamp(&file.confirmation().unwrap()),
            refused: file.refused.is_some() && self.rules != Rules::RefusalNotKept,
        }
    }
}

fn file(file: Confirmed) -> ConfirmedFile {
    let refused = file.refused.then_some(OUT);
    ConfirmedFile::new(&confirmation(file.when), file.of.map(tag), refused)
}

fn small_files(disk: Disk) -> SmallFiles {
    SmallFiles {
        high_water: disk.high_water.map(tag),
        confirmed: disk.confirmed.map(file),
    }
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::NotModified { .. } => "not modified",
        Outcome::Refused { .. } => "refused",
        Outcome::Failed(Failure::Unacceptable(Refusal::WentBack { .. })) => "went back",
        Outcome::Failed(Failure::Unacceptable(Refusal::OtherHost(_))) => "other host",
        Outcome::Failed(Failure::Unvouched(_)) => "unvouched",
        Outcome::Failed(Failure::Contradiction { .. }) => "contradiction",
        Outcome::Failed(_) => "failed",
    }
}

fn word(doubt: &Doubt) -> &'static str {
    match doubt {
        Doubt::File(_) => "file",
        Doubt::Snapshot(_) => "snapshot",
        Doubt::Journal(_) => "journal",
        Doubt::NoHighWater => "no high water",
        Doubt::Unconfirmed => "unconfirmed",
    }
}

/// The status of a refusal.
const OUT: u16 = 410;
