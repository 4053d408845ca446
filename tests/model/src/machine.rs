//! What can happen, one step at a time.

use std::ops::RangeInclusive;

use keyroster_api::freshness::ModeText;

use crate::claims::{Answering, Fault, wrong_answer};
use crate::documents::{Bounds, Library};
use crate::explore::{Machine, Taken};
use crate::host_steps::Place;
use crate::packed::{Packed, Parts};
use crate::rules::{Adapter, Rules};
use crate::world::{At, FIRST, Forgettable, Host, Past, Server, World};

/// What may happen in a world, so that each part of it can be visited whole.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// The bounds of each host; there are as many hosts.
    pub(crate) bounds: Vec<Bounds>,
    /// Whose steps and claims are visited.
    pub(crate) visited: Hosts,
    /// Revisions of an epoch.
    pub(crate) revisions: u8,
    /// Who answers on the hosts.
    pub(crate) processes: Processes,
    /// Questions of one host that are on their way together.
    pub(crate) questions: usize,
    /// Whether an answer may arrive more than once.
    pub(crate) repeated: bool,
    /// Whether something between may repeat, mix up or misdirect answers.
    pub(crate) meddling: bool,
    /// Whether a process may be killed between two writings.
    pub(crate) crashes: bool,
    /// Whether the key server may say that a host is out.
    pub(crate) outs: bool,
    /// In which ways the key server may be restored.
    pub(crate) restores: Restores,
    /// Whether the disk may refuse to be written, or lose a file.
    pub(crate) bad_disk: bool,
    /// By how much a wall clock may jump, forward and back again: no rule tells more of it than differences.
    pub(crate) wall_error: i8,
    /// Boots after the first.
    pub(crate) reboots: u8,
}

/// Some of the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hosts {
    All,
    /// This one; what the others do is left out, for it can't tell.
    Only(u8),
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processes {
    Daemon,
    LookupOnce,
}

/// Restores of the key server's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restores {
    None,
    /// With the epoch raised and the revocations replayed.
    Raised,
    /// Likewise, or without either, against the instructions.
    Any,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    TimePasses,
    KeyIsRevoked,
    SomethingElseIsWritten,
    ServerIsRestored { to: u8, raised: bool },
    HostIsOut { host: u8 },
    HostIsInAgain { host: u8 },
    Host { host: u8, does: HostStep },
}

/// What happens on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostStep {
    Starts,
    IsKilled,
    Reboots,
    WallClockShows {
        ahead: i8,
    },
    LosesFile(File),
    Asks,
    LookupOnceAsks,
    ServerAnswers {
        number: usize,
        said: crate::world::Said,
    },
    AnswerIsLost {
        number: usize,
    },
    Learns {
        number: usize,
        again: bool,
    },
    Keeps(Fate),
    LookupOnceEnds {
        number: usize,
        fate: Option<Fate>,
    },
}

/// A file that can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum File {
    HighWater,
    Confirmed,
    Snapshot,
}

/// How the writing of the files went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Whole,
    /// The process was killed after so many.
    KilledAfter(usize),
    /// One failed, with what followed by the rules; then so many removals were made, and if not all, the process was killed.
    Failed {
        at: usize,
        high_water: bool,
        removed: usize,
    },
    /// Nothing could be written and nothing removed.
    ReadOnly,
}

/// The machine: a scope under certain rules.
pub(crate) struct Model {
    pub(crate) scope: Scope,
    pub(crate) adapter: Adapter,
    parts: Parts,
}

impl Model {
    pub(crate) fn new(scope: Scope, rules: Rules) -> Self {
        let mut bounds = scope.bounds.clone();
        // A host that is not there has a snapshot all the same, which may be delivered to the wrong one.
        bounds.extend(scope.bounds.first().copied());
        let adapter = Adapter::new(rules, Library::new(bounds));
        let parts = Parts::default();
        Self {
            scope,
            adapter,
            parts,
        }
    }

    /// The numbers of the hosts that a world has, in order.
    pub(crate) fn numbers(&self) -> RangeInclusive<u8> {
        match self.scope.visited {
            Hosts::All => 0..=u8::try_from(self.scope.bounds.len() - 1).unwrap(),
            Hosts::Only(host) => host..=host,
        }
    }

    /// The age from which on no rule tells ages apart, however wrong the wall clock was and is.
    fn oldest(&self) -> u8 {
        let longest = |bounds: &Bounds| bounds.max_staleness.max(bounds.grace);
        let longest = self.scope.bounds.iter().map(longest).max().unwrap_or(0);
        longest + 1 + self.scope.wall_error.unsigned_abs()
    }

    fn forgettable(&self, host: u8) -> Forgettable {
        let bounds = self.adapter.library.bounds(host);
        Forgettable {
            bound: bounds.longest(),
            across_boots: self.scope.reboots > 0 && bounds.mode == ModeText::Grace,
        }
    }

    fn server_steps(&self, world: &World) -> Vec<(Step, Server)> {
        let server = world.server;
        let mut steps = Vec::new();
        if server.at.revision < self.scope.revisions {
            let written = server.written();
            steps.push((Step::SomethingElseIsWritten, written));
            if server.grants() {
                let revoked_at = Some(written.at.revision);
                let revoked = Server {
                    revoked_at,
                    ..written
                };
                steps.push((Step::KeyIsRevoked, revoked));
            }
        }
        if self.scope.restores != Restores::None && server.past == Past::Straight {
            for to in 1..=server.at.revision {
                let raised = Step::ServerIsRestored { to, raised: true };
                let restored = server.restored(to);
                if restored.at.revision <= self.scope.revisions {
                    steps.push((raised, restored));
                }
                if to < server.at.revision && self.scope.restores == Restores::Any {
                    let step = Step::ServerIsRestored { to, raised: false };
                    steps.push((step, server.forgotten(to)));
                }
            }
        }
        for host in self.numbers() {
            if self.scope.outs {
                let out = server.out ^ (1 << host);
                let step = match server.is_out(host) {
                    false => Step::HostIsOut { host },
                    true => Step::HostIsInAgain { host },
                };
                steps.push((step, Server { out, ..server }));
            }
        }
        steps
    }
}

impl Machine for Model {
    type State = World;
    type Step = Step;
    type Fault = Fault;
    type Packed = Packed;

    fn pack(&self, world: &World) -> Packed {
        self.parts.pack(world)
    }

    fn unpack(&self, packed: Packed) -> World {
        self.parts.unpack(&packed)
    }

    fn start(&self) -> World {
        World {
            server: Server {
                at: FIRST,
                revoked_at: None,
                past: Past::Straight,
                out: 0,
            },
            hosts: self.numbers().map(|_| Host::enrolled()).collect(),
        }
    }

    fn steps(&self, world: &World) -> Vec<Taken<Self>> {
        let mut older = world.clone();
        let oldest = self.oldest();
        for (host, number) in older.hosts.iter_mut().zip(self.numbers()) {
            host.grow_older(oldest);
            host.forget(self.forgettable(number));
        }
        let mut steps = vec![Taken {
            step: Step::TimePasses,
            state: older,
            fault: None,
        }];
        for (step, server) in self.server_steps(world) {
            let state = World {
                server,
                ..world.clone()
            };
            steps.push(Taken {
                step,
                state,
                fault: None,
            });
        }
        for ((index, before), number) in world.hosts.iter().enumerate().zip(self.numbers()) {
            let place = Place {
                server: world.server,
                number,
                host: before,
            };
            for (does, mut host, fault) in self.host_steps(&place) {
                host.questions.sort_unstable();
                host.forget(self.forgettable(number));
                let mut state = world.clone();
                state.hosts[index] = host;
                let step = Step::Host { host: number, does };
                steps.push(Taken { step, state, fault });
            }
        }
        steps
    }

    fn fault(&self, world: &World) -> Option<Fault> {
        world
            .hosts
            .iter()
            .zip(self.numbers())
            .find_map(|(host, number)| {
                let answering = match self.scope.processes {
                    Processes::Daemon => Answering {
                        host: number,
                        memory: host.daemon?.memory,
                        refused: host.truth.daemon_refused,
                        by_disk: true,
                    },
                    Processes::LookupOnce => Answering {
                        host: number,
                        memory: self.adapter.recall(number, host.disk, host.now()),
                        refused: host.truth.disk_refused,
                        by_disk: true,
                    },
                };
                wrong_answer(&self.adapter, world.server, host, &answering)
            })
    }
}

impl Server {
    fn written(self) -> Self {
        let past = match self.past {
            Past::Forgotten => Past::Forked,
            past => past,
        };
        let revision = self.at.revision + 1;
        Self {
            at: At {
                revision,
                ..self.at
            },
            past,
            ..self
        }
    }

    /// Restored to `to` in a new epoch. A revocation that the backup does not have is replayed, in a revision of its own.
    fn restored(self, to: u8) -> Self {
        let replayed = self.revoked_at.is_some_and(|at| at > to);
        let revision = to + u8::from(replayed);
        Self {
            at: At {
                epoch: self.at.epoch + 1,
                revision,
            },
            revoked_at: self.revoked_at.map(|at| at.min(revision)),
            past: Past::Restored,
            ..self
        }
    }

    fn forgotten(self, to: u8) -> Self {
        Self {
            at: At {
                revision: to,
                ..self.at
            },
            revoked_at: self.revoked_at.filter(|at| *at <= to),
            past: Past::Forgotten,
            ..self
        }
    }
}
