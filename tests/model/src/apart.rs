//! Two hosts at once, visited one after the other.
//!
//! Hosts share the key server and time, and nothing else: what a host does depends on itself and on the key server, changes itself alone,
//! and every claim is about one host. So whatever a host comes to beside another, it comes to alone, in the same world without
//! the other one's steps; and the whole scope is visited host by host. That this is so is checked first.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use keyroster_api::freshness::ModeText;

use crate::documents::Bounds;
use crate::explore::{Machine, Taken, explore};
use crate::fail_rules::{MAX_STATES, scope};
use crate::machine::{Hosts, Model, Restores, Scope};
use crate::packed::{Packed, PackedAlone, lengthen, shorten};
use crate::rules::Rules;
use crate::world::World;

/// Two hosts that differ in what they may, in a world where answers come twice, mixed up, misdirected and late, and the roster is
/// restored.
fn two_hosts() -> Scope {
    let bounds = |grace, mode| Bounds {
        max_staleness: 1,
        grace,
        mode,
    };
    Scope {
        bounds: vec![bounds(1, ModeText::Grace), bounds(0, ModeText::Strict)],
        repeated: true,
        meddling: true,
        crashes: false,
        restores: Restores::Raised,
        ..scope()
    }
}

/// The same, and wall clocks jump, machines boot.
fn two_hosts_with_clocks() -> Scope {
    Scope {
        wall_error: 1,
        reboots: 1,
        ..two_hosts()
    }
}

fn each_holds(scope: &Scope) {
    for host in [0, 1] {
        let visited = Hosts::Only(host);
        let alone = Alone(Model::new(
            Scope {
                visited,
                ..scope.clone()
            },
            Rules::Whole,
        ));
        let visited = explore(&alone, MAX_STATES);
        println!(
            "host {host}: {} states, {} steps, {} deep",
            visited.states, visited.steps, visited.depth
        );
        if let Some(trace) = visited.fault {
            panic!("{trace}");
        }
    }
}

/// A world of one host, packed in half the room.
struct Alone(Model);

impl Machine for Alone {
    type State = World;
    type Packed = PackedAlone;
    type Step = <Model as Machine>::Step;
    type Fault = <Model as Machine>::Fault;

    fn pack(&self, world: &World) -> PackedAlone {
        shorten(self.0.pack(world))
    }

    fn unpack(&self, packed: PackedAlone) -> World {
        self.0.unpack(lengthen(packed))
    }

    fn start(&self) -> World {
        self.0.start()
    }

    fn steps(&self, world: &World) -> Vec<Taken<Self>> {
        let steps = self.0.steps(world).into_iter();
        let own = |taken: Taken<Model>| Taken {
            step: taken.step,
            state: taken.state,
            fault: taken.fault,
        };
        steps.map(own).collect()
    }

    fn fault(&self, world: &World) -> Option<Self::Fault> {
        self.0.fault(world)
    }
}

#[test]
fn two_hosts_over_three_revisions_of_two_epochs_never_let_in_a_key_past_its_revocation() {
    each_holds(&two_hosts());
}

#[test]
fn the_same_holds_while_clocks_jump_over_two_revisions() {
    each_holds(&Scope {
        revisions: 2,
        restores: Restores::None,
        ..two_hosts_with_clocks()
    });
}

#[test]
#[ignore = "takes minutes: `cargo xtask model` runs it"]
fn two_hosts_over_three_revisions_of_two_epochs_with_everything_at_once() {
    each_holds(&two_hosts_with_clocks());
}

/// Two hosts, each of which is watched for whether it goes a way that it does not go alone.
struct Watched {
    both: Model,
    alone: [Model; 2],
    /// Where each host goes alone, for whom it is asked again and again.
    ways: RefCell<HashMap<(usize, Packed), Ways>>,
}

/// Worlds that one step leads to.
type Ways = Rc<HashSet<Packed>>;

impl Watched {
    fn new(scope: &Scope) -> Self {
        let visiting = |visited| {
            let scope = scope.clone();
            Model::new(Scope { visited, ..scope }, Rules::Whole)
        };
        Self {
            both: visiting(Hosts::All),
            alone: [0, 1].map(|host| visiting(Hosts::Only(host))),
            ways: RefCell::default(),
        }
    }

    /// Where this host goes alone from here, and here.
    fn ways(&self, host: usize, world: &World) -> Ways {
        let here = self.without_the_other(host, world);
        let mut ways = self.ways.borrow_mut();
        let ways = ways.entry((host, here)).or_insert_with(|| {
            let model = &self.alone[host];
            let steps = model.steps(&model.unpack(here)).into_iter();
            let there = steps.map(|taken| model.pack(&taken.state));
            Rc::new(there.chain([here]).collect())
        });
        Rc::clone(ways)
    }

    /// The world as this host knows it.
    fn without_the_other(&self, host: usize, world: &World) -> Packed {
        self.alone[host].pack(&World {
            server: world.server,
            hosts: vec![world.hosts[host].clone()],
        })
    }
}

impl Machine for Watched {
    type State = World;
    type Packed = Packed;
    type Step = <Model as Machine>::Step;
    type Fault = String;

    fn pack(&self, world: &World) -> Packed {
        self.both.pack(world)
    }

    fn unpack(&self, packed: Packed) -> World {
        self.both.unpack(packed)
    }

    fn start(&self) -> World {
        self.both.start()
    }

    fn steps(&self, world: &World) -> Vec<Taken<Self>> {
        let ways = [0, 1].map(|host| self.ways(host, world));
        let watch = |taken: Taken<Model>| {
            let strays = |host: &usize| {
                let there = self.without_the_other(*host, &taken.state);
                !ways[*host].contains(&there)
            };
            let stray = [0, 1].into_iter().find(strays);
            Taken {
                fault: stray.map(|host| format!("host {host} does not go there alone")),
                step: taken.step,
                state: taken.state,
            }
        };
        self.both.steps(world).into_iter().map(watch).collect()
    }

    fn fault(&self, _: &World) -> Option<String> {
        None
    }
}

#[test]
fn beside_another_a_host_takes_no_step_that_it_does_not_take_alone() {
    let scope = Scope {
        revisions: 2,
        repeated: false,
        meddling: false,
        restores: Restores::None,
        ..two_hosts()
    };
    if let Some(trace) = explore(&Watched::new(&scope), MAX_STATES).fault {
        panic!("{trace}");
    }
}
