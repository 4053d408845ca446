//! What can happen on one host: the edge of the host agent, in miniature.
//!
//! Here stands what `poll`, `keeper` and `lookup_once` do around the rules, in any order and with anything going wrong.

use crate::claims::Fault;
use crate::documents::BLOB;
use crate::machine::{Fate, File, HostStep, Model, Processes};
use crate::questions::Asked;
use crate::rules::Rules;
use crate::world::{Asker, Daemon, Doc, Host, Memory, Question, Server};

/// A step, the host after it, and what went wrong on the way.
pub(crate) type Taken = (HostStep, Host, Option<Fault>);

/// A host, and the key server that it asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) server: Server,
    pub(crate) number: u8,
    pub(crate) host: &'a Host,
}

impl Model {
    /// Every step of this host.
    pub(crate) fn host_steps(&self, place: &Place<'_>) -> Vec<Taken> {
        let mut steps = Vec::new();
        match self.scope.processes {
            Processes::Daemon => self.daemon_steps(place, &mut steps),
            Processes::LookupOnce => self.lookup_once_asks(place, &mut steps),
        }
        self.machine_steps(place, &mut steps);
        for (slot, question) in place.host.questions.iter().enumerate() {
            let Some(question) = question else { continue };
            let asked = Asked { slot, question };
            self.answers(place, asked, &mut steps);
            match question.asker {
                Asker::Daemon => self.learns(place, asked, &mut steps),
                Asker::Once(before) => self.lookup_once_ends(place, asked, before, &mut steps),
            }
        }
        steps
    }

    fn daemon_steps(&self, place: &Place<'_>, steps: &mut Vec<Taken>) {
        let Place { number, host, .. } = *place;
        let Some(daemon) = host.daemon else {
            let memory = self.adapter.recall(number, host.disk, host.now());
            let mut started = host.clone();
            started.daemon = Some(Daemon {
                memory,
                owes: false,
            });
            started.truth.daemon_refused = host.truth.disk_refused;
            // Within the boot of the confirmation it does not matter.
            let earlier = memory.confirmed.is_some_and(|when| when.boot != host.boot);
            started.truth.began_ahead = earlier.then_some(host.ahead);
            steps.push((HostStep::Starts, started, None));
            return;
        };
        steps.push((HostStep::IsKilled, killed(host), None));
        let Daemon { memory, owes } = daemon;
        let named = match self.adapter.rules {
            Rules::NamedBeforeKept => memory.held,
            _ => memory.held.filter(|_| !owes),
        };
        if let Some(asked) = self.asked(host, Asker::Daemon, memory, named) {
            steps.push((HostStep::Asks, asked, None));
        }
        if memory.confirmed.is_some() {
            let owed = memory.held.filter(|_| owes);
            for (fate, mut kept) in self.fates(host, memory, owed) {
                if kept.daemon.is_some() && fate == Fate::Whole {
                    kept.daemon = Some(Daemon {
                        memory,
                        owes: false,
                    });
                    kept.truth.keep(memory, host.truth.daemon_refused);
                }
                steps.push((HostStep::Keeps(fate), kept, None));
            }
        }
    }

    /// A login that may not be answered from the disk alone.
    fn lookup_once_asks(&self, place: &Place<'_>, steps: &mut Vec<Taken>) {
        let Place { number, host, .. } = *place;
        let memory = self.adapter.recall(number, host.disk, host.now());
        if self.adapter.revalidates(memory, host.now())
            && let Some(asked) = self.asked(host, Asker::Once(memory), memory, memory.held)
        {
            steps.push((HostStep::LookupOnceAsks, asked, None));
        }
    }

    fn asked(&self, host: &Host, asker: Asker, memory: Memory, named: Option<Doc>) -> Option<Host> {
        let mut asked = host.clone();
        let open = host.questions.iter().flatten().count() < self.scope.questions;
        let free = asked.questions.iter_mut().find(|slot| slot.is_none());
        *free.filter(|_| open)? = Some(Question {
            asker,
            held: named.map(|doc| doc.at),
            seen: memory.seen,
            sent: host.now(),
            answer: None,
        });
        // It counts as acknowledged from here on, though the key server may never hear it.
        asked.truth.settle(named);
        Some(asked)
    }

    fn machine_steps(&self, place: &Place<'_>, steps: &mut Vec<Taken>) {
        let Place { number, host, .. } = *place;
        if host.boot < self.scope.reboots {
            let mut booted = killed(host);
            booted.boot += 1;
            steps.push((HostStep::Reboots, booted, None));
        }
        let error = self.scope.wall_error;
        for ahead in 0..=error {
            if ahead != host.ahead {
                let mut shown = host.clone();
                shown.ahead = ahead;
                let back = ahead < host.ahead && self.revived(number, host, &shown);
                let fault = back.then_some(Fault::Revived);
                steps.push((HostStep::WallClockShows { ahead }, shown, fault));
            }
        }
        if self.scope.bad_disk && !host.truth.lost {
            for file in [File::HighWater, File::Confirmed, File::Snapshot] {
                let mut lost = host.clone();
                lost.truth.lost = true;
                match file {
                    File::HighWater => lost.disk.high_water = None,
                    File::Confirmed => lost.disk.confirmed = None,
                    File::Snapshot => lost.disk.snapshot = None,
                }
                if lost.disk != host.disk {
                    steps.push((HostStep::LosesFile(file), lost, None));
                }
            }
        }
    }

    /// Whether the wall clock alone lets the key in again: in the boot in which it was confirmed, and in a later one by a process
    /// that began before the wall clock was last set forward.
    fn revived(&self, number: u8, before: &Host, after: &Host) -> bool {
        let memory = match self.scope.processes {
            Processes::Daemon => before.daemon.map(|daemon| daemon.memory),
            Processes::LookupOnce => Some(self.adapter.recall(number, before.disk, before.now())),
        };
        let of_this_boot = |memory: &Memory| {
            let confirmed = memory.confirmed;
            let began = before.truth.began_ahead;
            let not_forward = began.is_some_and(|ahead| before.ahead <= ahead);
            confirmed.is_some_and(|when| when.boot == before.boot) || not_forward
        };
        let found = |memory, host: &Host| self.adapter.found(memory, host.now(), BLOB);
        memory
            .filter(of_this_boot)
            .is_some_and(|memory| found(memory, after) && !found(memory, before))
    }
}

/// The host after its processes were killed.
pub(crate) fn killed(host: &Host) -> Host {
    let mut host = host.clone();
    host.daemon = None;
    host.questions = Default::default();
    host.truth.daemon_refused = None;
    host.truth.began_ahead = None;
    host
}
