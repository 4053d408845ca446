//! Worlds in few bytes: each part of one is kept once and known by its number.
//!
//! A part has few values though a world has many, and equal numbers stand for equal values and for no others: nothing is lost, as it
//! would be with hashes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

use crate::world::{Daemon, Disk, Host, QUESTIONS, Question, Server, Truth, World};

/// A world by the numbers of its parts.
pub(crate) type Packed = [u32; 1 + MAX_HOSTS * PARTS];

/// The values that were met, by part.
#[derive(Default)]
pub(crate) struct Parts {
    server: Numbered<Server>,
    daemon: Numbered<Option<Daemon>>,
    disk: Numbered<Disk>,
    question: Numbered<Option<Question>>,
    clocks: Numbered<(i8, u8)>,
    truth: Numbered<Truth>,
}

impl Parts {
    pub(crate) fn pack(&self, world: &World) -> Packed {
        let mut packed = [NOT_THERE; 1 + MAX_HOSTS * PARTS];
        packed[0] = self.server.number(world.server);
        for (host, packed) in world.hosts.iter().zip(packed[1..].chunks_exact_mut(PARTS)) {
            packed.copy_from_slice(&[
                self.daemon.number(host.daemon),
                self.disk.number(host.disk),
                self.question.number(host.questions[0]),
                self.question.number(host.questions[1]),
                self.clocks.number((host.ahead, host.boot)),
                self.truth.number(host.truth),
            ]);
        }
        packed
    }

    pub(crate) fn unpack(&self, packed: &Packed) -> World {
        let there = packed[1..].chunks_exact(PARTS);
        let hosts = there.filter(|parts| parts[0] != NOT_THERE).map(|parts| {
            let (ahead, boot) = self.clocks.value(parts[4]);
            let questions: [_; QUESTIONS] =
                [self.question.value(parts[2]), self.question.value(parts[3])];
            Host {
                daemon: self.daemon.value(parts[0]),
                disk: self.disk.value(parts[1]),
                questions,
                ahead,
                boot,
                truth: self.truth.value(parts[5]),
            }
        });
        World {
            server: self.server.value(packed[0]),
            hosts: hosts.collect(),
        }
    }
}

/// Values in the order in which they were met.
struct Numbered<T>(RefCell<(HashMap<T, u32>, Vec<T>)>);

impl<T: Copy + Eq + Hash> Numbered<T> {
    fn number(&self, value: T) -> u32 {
        let (numbers, values) = &mut *self.0.borrow_mut();
        *numbers.entry(value).or_insert_with(|| {
            values.push(value);
            u32::try_from(values.len() - 1).unwrap()
        })
    }

    fn value(&self, number: u32) -> T {
        self.0.borrow().1[usize::try_from(number).unwrap()]
    }
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

/// A world of one host, in half the room.
pub(crate) type PackedAlone = [u32; 1 + PARTS];

/// Leaves out the hosts that are not there.
pub(crate) fn shorten(packed: Packed) -> PackedAlone {
    std::array::from_fn(|part| packed[part])
}

/// Puts them back.
pub(crate) fn lengthen(packed: PackedAlone) -> Packed {
    std::array::from_fn(|part| packed.get(part).copied().unwrap_or(NOT_THERE))
}

/// Hosts of one world at most.
const MAX_HOSTS: usize = 2;
/// Parts of a host.
const PARTS: usize = 6;
/// In the place of a host that is not there.
const NOT_THERE: u32 = u32::MAX;
