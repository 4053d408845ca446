//! Visits every state that a machine can reach, nearest first.
//!
//! A model checker from elsewhere would bring a web server and threads; what is needed of it fits here. Breadth first, so that the
//! way to a fault is one of the shortest. States are compared whole and not by a hash alone, or two that collide would hide one.

use std::collections::HashMap;
use std::fmt::{self, Debug, Display};
use std::hash::Hash;
use std::rc::Rc;

/// Something that goes from state to state.
pub(crate) trait Machine {
    /// All that its future depends on.
    type State: Clone + Eq + Hash + Debug;
    /// What leads from one state to the next.
    type Step: Debug;
    /// What must not be.
    type Fault: Display;

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
    while at < explorer.states.len() {
        if let Some(fault) = explorer.look(at, &mut steps) {
            return explorer.visited(steps, Some(fault));
        }
        assert!(
            explorer.states.len() <= limit,
            "more than {limit} states; farthest: {:?}",
            explorer.states.last()
        );
        at += 1;
    }
    explorer.visited(steps, None)
}

struct Explorer<'a, M: Machine> {
    machine: &'a M,
    states: Vec<Reached<M::State>>,
    index: HashMap<Rc<M::State>, usize>,
}

#[derive(Debug)]
struct Reached<S> {
    state: Rc<S>,
    from: usize,
    depth: usize,
}

impl<'a, M: Machine> Explorer<'a, M> {
    fn new(machine: &'a M) -> Self {
        let state = Rc::new(machine.start());
        Self {
            machine,
            index: HashMap::from([(Rc::clone(&state), 0)]),
            states: vec![Reached {
                state,
                from: 0,
                depth: 0,
            }],
        }
    }

    fn look(&mut self, at: usize, steps: &mut usize) -> Option<Trace> {
        let (state, depth) = (Rc::clone(&self.states[at].state), self.states[at].depth);
        if let Some(fault) = self.machine.fault(&state) {
            return Some(self.trace(at, None, &fault));
        }
        for taken in self.machine.steps(&state) {
            *steps += 1;
            if let Some(fault) = taken.fault {
                return Some(self.trace(at, Some(taken.step), &fault));
            }
            if self.index.contains_key(&taken.state) {
                continue;
            }
            let state = Rc::new(taken.state);
            self.index.insert(Rc::clone(&state), self.states.len());
            self.states.push(Reached {
                state,
                from: at,
                depth: depth + 1,
            });
        }
        None
    }

    /// The steps are taken again, since only states are kept.
    fn trace(&self, mut at: usize, last: Option<M::Step>, fault: &M::Fault) -> Trace {
        let mut steps: Vec<String> = last.iter().map(|step| format!("{step:?}")).collect();
        while at != 0 {
            let from = self.states[at].from;
            let step = self
                .machine
                .steps(&self.states[from].state)
                .into_iter()
                .find(|taken| taken.state == *self.states[at].state)
                .map(|taken| format!("{:?}", taken.step));
            steps.extend(step);
            at = from;
        }
        steps.reverse();
        Trace {
            steps,
            fault: fault.to_string(),
        }
    }

    fn visited(&self, steps: usize, fault: Option<Trace>) -> Visited {
        Visited {
            states: self.states.len(),
            steps,
            depth: self.states.last().map_or(0, |reached| reached.depth),
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
