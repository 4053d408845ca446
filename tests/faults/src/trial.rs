//! One host, one fault: what is asked, in which order, and what must be answered.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keyroster_testkit::{Account, Failure, Result, until};

use crate::cell::{Cell, Held, Mode};
use crate::judge::{Flaw, Tally, Verdict, judge};
use crate::login::{Login, Slot};
use crate::question::{ask, start_and_end};
use crate::rules::{Effect, Key, Word, before, expected, may_fall_silent};
use crate::stage::Stage;
use crate::table::Fault;
use crate::world::World;

mod directly;

/// One setting being tried.
pub(crate) struct Trial<'a> {
    slot: &'a Slot,
    fault: &'a Fault,
    mode: Mode,
    held: Held,
    tally: Tally,
}

/// Whom to ask, and what it may say.
#[derive(Clone, Copy)]
struct Round<'a> {
    config: &'a Path,
    user: &'a Account,
    keys: &'a [Key],
    right: &'a (dyn Fn(Key) -> Vec<Word> + Sync),
}

impl<'a> Trial<'a> {
    pub(crate) fn new(slot: &'a Slot, fault: &'a Fault, mode: Mode, held: Held) -> Self {
        Self {
            slot,
            fault,
            mode,
            held,
            tally: Tally::default(),
        }
    }

    /// The cell that lookup's answers are for.
    pub(crate) fn cell(&self) -> Cell {
        self.cell_of(self.mode)
    }

    fn cell_of(&self, mode: Mode) -> Cell {
        Cell {
            fault: self.fault.name,
            mode,
            held: self.held,
        }
    }

    pub(crate) fn flaw(&mut self, flaw: Flaw) {
        self.tally.flaws.push(flaw);
    }

    pub(crate) fn finish(self) -> Tally {
        self.tally
    }

    /// Everything that is asked in this setting.
    pub(crate) fn run(&mut self, world: &World) -> Result {
        let mut stage = Stage::new(world, self.mode, self.held)?;
        (self.fault.script.arrange)(&mut stage)?;
        let config = self.slot.ask_agent(&stage)?;
        stage.start()?;
        self.before(world, &mut stage, &config)?;
        self.settle(&mut stage)?;
        self.ask_all(world, &config, self.fault.effect)?;
        self.tally.asserted.insert(self.cell());
        self.time_fresh(world, &config)?;
        if self.mode == Mode::Grace {
            self.break_glass(world)?;
            self.ask_directly(world, &stage)?;
        }
        if let Some(effect) = self.fault.script.restarted {
            stage.lose_server();
            stage.restart()?;
            self.ask_all(world, &config, effect)?;
        }
        Ok(())
    }

    /// While the host agent still tries to reach the key server: by what is held, or already by what the key server said.
    fn before(&mut self, world: &World, stage: &mut Stage<'_>, config: &Path) -> Result {
        if let Some(upset) = self.fault.script.upset {
            return upset(stage);
        }
        let (effect, mode, held) = (self.fault.effect, self.mode, self.held);
        let round = Round {
            config,
            user: &world.lookup,
            keys: &Key::ALL,
            right: &|key| {
                let heard = expected(effect, mode, held, key);
                vec![before(effect, mode, held, key), heard, Word::Unavailable]
            },
        };
        match self.fault.script.under_load {
            true => self.restart_under_load(world, stage, &round),
            false => self.round(world, &round),
        }
    }

    fn restart_under_load(
        &mut self,
        world: &World,
        stage: &mut Stage<'_>,
        round: &Round<'_>,
    ) -> Result {
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let load = scope.spawn(|| -> Result {
                while !ended.load(Ordering::Relaxed) {
                    self.round(world, round)?;
                }
                Ok(())
            });
            let restarted = (0..RESTARTS).try_for_each(|_| {
                stage.restart()?;
                stage.agent()?.wait_for_line("ready").map(drop)
            });
            ended.store(true, Ordering::Relaxed);
            let loaded = load
                .join()
                .unwrap_or_else(|_| Err(Failure::new("the load panicked")));
            restarted.and(loaded)
        })
    }

    /// Waits until the host agent has met the fault, as its log tells.
    fn settle(&self, stage: &mut Stage<'_>) -> Result {
        let usual = match self.fault.effect {
            Effect::Undecided | Effect::Rebooted => Some("decided nothing"),
            Effect::Refused => Some("refuses this host"),
            Effect::Decided | Effect::Ended => Some("new snapshot"),
            Effect::Unbelieved => Some("ready"),
            Effect::HeardOnce | Effect::NoAgent | Effect::Scarce => None,
        };
        match usual {
            Some(line) => stage.agent()?.wait_for_line(line).map(drop),
            None => Ok(()),
        }
    }

    fn ask_all(&mut self, world: &World, config: &Path, effect: Effect) -> Result {
        let (mode, held) = (self.mode, self.held);
        self.round(
            world,
            &Round {
                config,
                user: &world.lookup,
                keys: &Key::ALL,
                right: &|key| {
                    let mut right = vec![expected(effect, mode, held, key)];
                    if may_fall_silent(effect) {
                        right.push(Word::Unavailable);
                    }
                    right
                },
            },
        )
    }

    fn round(&mut self, world: &World, round: &Round<'_>) -> Result {
        let mut keys = round.keys.iter();
        keys.try_for_each(|key| self.one(world, round, *key))
    }

    /// Asks until something is decided; whatever was decided stands.
    fn one(&mut self, world: &World, round: &Round<'_>, key: Key) -> Result {
        let right = (round.right)(key);
        let started = Instant::now();
        until("an answer", PATIENCE * 10, || {
            let told = ask(world, round.config, round.user, key)?;
            self.tally.questions += 1;
            self.tally.slowest = self.tally.slowest.max(told.took);
            if told.took > ANSWER_LIMIT + NOISE {
                let took = told.took.as_millis();
                self.flaw(Flaw::Late(format!("{}: {took} ms", self.cell())));
            }
            match judge(self.cell(), key, told.word, &right) {
                Verdict::Right => {}
                Verdict::Wrong(flaw) => self.flaw(flaw),
                Verdict::Undecided if started.elapsed() < PATIENCE => {
                    self.tally.again += 1;
                    return Ok(None);
                }
                Verdict::Undecided => {
                    let what = format!("{}: the {key:?} key is undecided", self.cell());
                    self.flaw(Flaw::WrongAnswer(what));
                }
            }
            Ok(Some(()))
        })
    }

    /// What is fresh is answered from memory: lookup takes hardly longer than to start and end. That is measured beside it,
    /// since on a busy machine this alone may take longer.
    fn time_fresh(&mut self, world: &World, config: &Path) -> Result {
        let fresh = before(self.fault.effect, self.mode, self.held, Key::Granted) == Word::Found
            && self.held == Held::Fresh;
        if !fresh {
            return Ok(());
        }
        let mut best = Duration::MAX;
        for _ in 0..FRESH_ROUNDS {
            let (mut bare, mut answers) = (Vec::new(), Vec::new());
            for _ in 0..FRESH_ANSWERS {
                bare.push(start_and_end(world)?);
                answers.push(ask(world, config, &world.lookup, Key::Stranger)?.took);
            }
            let beyond = median(answers).zip(median(bare));
            best = beyond.map_or(best, |(answers, bare)| {
                best.min(answers.saturating_sub(bare))
            });
            if best <= FRESH_LIMIT {
                break;
            }
        }
        self.tally.fresh.push(best);
        if best > FRESH_LIMIT {
            let took = best.as_millis();
            self.flaw(Flaw::Late(format!(
                "{}: {took} ms while fresh",
                self.cell()
            )));
        }
        Ok(())
    }

    fn break_glass(&mut self, world: &World) -> Result {
        let cell = self.cell_of(Mode::BreakGlass);
        let (login, took) = self.slot.break_glass(world)?;
        match login {
            Login::ByGlass => {}
            Login::ByStranger => {
                self.flaw(Flaw::WrongAllow(format!("{cell}: a stranger logged in")));
            }
            Login::Refused => self.flaw(Flaw::WrongAnswer(format!(
                "{cell}: the break-glass key was refused\n{}",
                self.slot.log()
            ))),
        }
        if took > LOGIN_LIMIT + LOGIN_NOISE {
            let took = took.as_millis();
            self.flaw(Flaw::Late(format!("{cell}: a login of {took} ms")));
        }
        self.tally.asserted.insert(cell);
        Ok(())
    }
}

/// The one in the middle.
pub(crate) fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// The deadline of lookup: sshd waits for no answer longer than this.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// What starting a process on a machine with many others may take, besides.
const NOISE: Duration = Duration::from_secs(3);
/// A key command that takes its two seconds is stretched by sshd to twice that at most, and a login follows.
const LOGIN_LIMIT: Duration = Duration::from_secs(5);
/// What the processes of a login may take on such a machine.
const LOGIN_NOISE: Duration = Duration::from_secs(10);
/// What an answer from memory takes at most, beyond the process.
const FRESH_LIMIT: Duration = Duration::from_millis(50);
/// Answers in each round of which the one in the middle counts, and how many rounds there are before it is called slow.
const FRESH_ANSWERS: usize = 3;
const FRESH_ROUNDS: usize = 8;
/// How often a host agent is restarted under load.
const RESTARTS: usize = 3;
/// For how long a question is asked again that could not be decided.
const PATIENCE: Duration = Duration::from_secs(20);
