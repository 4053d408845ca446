//! Visits every state that a machine can reach, nearest first.
//!
//! A model checker from elsewhere would bring a web server and threads; what is needed of it fits here. Breadth first, so that the
//! way to a fault is one of the shortest. States are kept packed and compared whole, and not by a hash alone, or two that collide
//! would hide one.

use std::collections::HashSet;
use std::fmt::{self, Debug, Display};
use std::hash::Hash;

/// Something that goes from state to state.
pub(crate) trait Machine {
    /// All that its future depends on.
    type State: Debug;
    /// The same in few bytes: equal for equal states and for no others.
    type Packed: Copy + Eq + Hash;
    /// What leads from one state to the next.
    type Step: Debug;
    /// What must not be.
    type Fault: Display;

    /// Packs a state.
    fn pack(&self, state: &Self::State) -> Self::Packed;

    /// The state that was packed.
    fn unpack(&self, packed: Self::Packed) -> Self::State;

    /// Where it begins.
    fn start(&self) -> Self::State;

    /// Every step that may be taken from `state`, and where it leads.
    fn steps(&self, state: &Self::State) -> Vec<Taken<Self>>;

    /// What is wrong in `state`, if anything is.
    fn fault(&self, state: &Self::State) -> Option<Self::Fault>;
}

/// A step that was taken.
pub(crate) struct Taken<M: Machine + ?Sized> {
    /// Which.
    pub(crate) step: M::Step,
    /// Where it led.
    pub(crate) state: M::State,
    /// What went wrong on the way.
    pub(crate) fault: Option<M::Fault>,
}

/// What came of visiting all states.
#[derive(Debug)]
pub(crate) struct Visited {
    /// Different states.
    pub(crate) states: usize,
    /// Steps between them.
    pub(crate) steps: usize,
    /// Steps on the shortest way to the farthest state.
    pub(crate) depth: usize,
    /// The way to the first fault.
    pub(crate) fault: Option<Trace>,
}

/// The way to a fault, in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// Each step.
    pub(crate) steps: Vec<String>,
    /// What is wrong at its end.
    pub(crate) fault: String,
}

/// Visits every state within `limit` of them, up to the first fault.
///
/// # Panics
/// When there are more: what was not visited is not checked.
pub(crate) fn explore<M: Machine>(machine: &M, limit: usize) -> Visited {
    let mut explorer = Explorer::new(machine);
    let mut steps = 0;
    let mut at = 0;
    while let Some(reached) = explorer.reached.get(at) {
        let state = machine.unpack(reached.state);
        if let Some(fault) = explorer.look(at, &state, &mut steps) {
            return explorer.visited(steps, Some(fault));
        }
        let count = explorer.reached.len();
        assert!(count <= limit, "more than {limit} states, as {state:?}");
        at += 1;
    }
    explorer.visited(steps, None)
}

struct Explorer<'a, M: Machine> {
    machine: &'a M,
    reached: Vec<Reached<M::Packed>>,
    known: HashSet<M::Packed>,
}

/// A state, and the first one that led to it.
struct Reached<P> {
    state: P,
    from: u32,
}

impl<'a, M: Machine> Explorer<'a, M> {
    fn new(machine: &'a M) -> Self {
        let state = machine.pack(&machine.start());
        Self {
            machine,
            known: HashSet::from([state]),
            reached: vec![Reached { state, from: 0 }],
        }
    }

    fn look(&mut self, at: usize, state: &M::State, steps: &mut usize) -> Option<Trace> {
        if let Some(fault) = self.machine.fault(state) {
            return Some(self.trace(at, None, &fault));
        }
        let from = u32::try_from(at).unwrap();
        for taken in self.machine.steps(state) {
            *steps += 1;
            if let Some(fault) = taken.fault {
                return Some(self.trace(at, Some(taken.step), &fault));
            }
            let state = self.machine.pack(&taken.state);
            if self.known.insert(state) {
                self.reached.push(Reached { state, from });
            }
        }
        None
    }

    /// The steps are taken again, since only states are kept.
    fn trace(&self, mut at: usize, last: Option<M::Step>, fault: &M::Fault) -> Trace {
        let mut steps: Vec<String> = last.iter().map(|step| format!("{step:?}")).collect();
        while at != 0 {
            let reached = &self.reached[at];
            let from = usize::try_from(reached.from).unwrap();
            let before = self.machine.unpack(self.reached[from].state);
            let mut taken = self.machine.steps(&before).into_iter();
            let step = taken.find(|taken| self.machine.pack(&taken.state) == reached.state);
            steps.extend(step.map(|taken| format!("{:?}", taken.step)));
            at = from;
        }
        steps.reverse();
        Trace {
            steps,
            fault: fault.to_string(),
        }
    }

    fn visited(&self, steps: usize, fault: Option<Trace>) -> Visited {
        let mut depth = 0;
        let mut at = self.reached.len() - 1;
        while at != 0 {
            at = usize::try_from(self.reached[at].from).unwrap();
            depth += 1;
        }
        Visited {
            states: self.reached.len(),
            steps,
            depth,
            fault,
        }
    }
}

impl Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{:>3}. {step}", number + 1)?;
        }
        write!(f, "     {}", self.fault)
    }
}
