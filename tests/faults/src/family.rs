//! Runs the rows of one family: every cell, several at a time, since they mostly wait.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyroster_testkit::Result;

use crate::cell::{Cell, Held, Mode};
use crate::judge::{Flaw, Tally};
use crate::login::Slot;
use crate::table::{Family, Fault, Place, faults};
use crate::trial::{Trial, median};
use crate::world::World;

/// What a run saw.
#[derive(Debug)]
pub struct Report {
    family: Family,
    wanted: BTreeSet<Cell>,
    tally: Tally,
}

/// One fault, one host: the cells that it serves are those of its mode, and with grace those of break-glass as well.
#[derive(Debug, Clone, Copy)]
struct Setting {
    fault: Fault,
    mode: Mode,
    held: Held,
}

/// Tries every cell of the family's faults. The first wrong allow ends it.
///
/// # Errors
/// When what all cells share can't be set up.
pub fn run(family: Family) -> Result<Report> {
    let world = World::new()?;
    let faults: Vec<Fault> = faults()
        .into_iter()
        .filter(|fault| fault.is_run_in(family))
        .collect();
    let wanted = faults.iter().flat_map(Fault::cells).collect();
    let queue: Mutex<VecDeque<Setting>> = Mutex::new(settings(&faults).collect());
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..workers(family) {
            scope.spawn(|| work(&world, &queue, &tally));
        }
    });
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Report {
        family,
        wanted,
        tally,
    })
}

fn settings(faults: &[Fault]) -> impl Iterator<Item = Setting> {
    faults.iter().flat_map(|fault| {
        Held::ALL.into_iter().flat_map(move |held| {
            [Mode::Strict, Mode::Grace].map(|mode| Setting {
                fault: *fault,
                mode,
                held,
            })
        })
    })
}

fn work(world: &World, queue: &Mutex<VecDeque<Setting>>, tally: &Mutex<Tally>) {
    let slot = match Slot::new(world) {
        Ok(slot) => slot,
        Err(failure) => {
            let flaw = Flaw::Fixture(format!("sshd: {failure}"));
            return lock(tally).flaws.push(flaw);
        }
    };
    while let Some(setting) = next(queue, tally) {
        let Setting { fault, mode, held } = setting;
        let mut trial = Trial::new(&slot, &fault, mode, held);
        if let Err(failure) = trial.run(world) {
            trial.flaw(Flaw::Fixture(format!("{}: {failure}", trial.cell())));
        }
        lock(tally).absorb(trial.finish());
    }
}

/// The next setting; none once somebody was let in against the rules.
fn next(queue: &Mutex<VecDeque<Setting>>, tally: &Mutex<Tally>) -> Option<Setting> {
    match lock(tally).wrong_allow() {
        true => None,
        false => lock(queue).pop_front(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Report {
    /// Every flaw, wrong allows first, or a line that says what was tried.
    ///
    /// # Errors
    /// When there is a flaw, or a cell that nobody tried.
    pub fn verdict(self) -> std::result::Result<String, String> {
        let mut flaws = self.tally.flaws.clone();
        flaws.sort();
        let untried: Vec<&Cell> = self.wanted.difference(&self.tally.asserted).collect();
        if flaws.is_empty() && untried.is_empty() {
            return Ok(self.summary());
        }
        let mut text = String::new();
        for flaw in flaws {
            let _ = writeln!(text, "{flaw}");
        }
        let _ = writeln!(text, "{}", self.summary());
        for cell in untried {
            let _ = writeln!(text, "not asserted: {cell}");
        }
        Err(text)
    }

    fn summary(&self) -> String {
        let Tally {
            asserted,
            questions,
            again,
            slowest,
            fresh,
            ..
        } = &self.tally;
        format!(
            "{}: {} cells asserted, {questions} answers ({again} asked again), slowest {} ms, \
             median from a fresh snapshot {} ms",
            self.family.title(),
            asserted.len(),
            slowest.as_millis(),
            median(fresh.clone()).unwrap_or(Duration::ZERO).as_millis()
        )
    }
}

impl Fault {
    fn is_run_in(&self, family: Family) -> bool {
        let named = std::env::var(ONE_FAULT_VARIABLE).map_or(true, |name| name == self.name);
        self.family == family && self.place == Place::Here && named
    }
}

/// Names the one fault to try, for whoever looks into it.
const ONE_FAULT_VARIABLE: &str = "KEYROSTER_FAULT";
/// Cells that are tried at one time. They wait, but for those in which both ends move as many bytes as they can.
const fn workers(family: Family) -> usize {
    match family {
        Family::Size => 2,
        _ => 6,
    }
}
