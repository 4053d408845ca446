//! What there is: a key server, hosts with their memory, disk and clocks, and questions on their way.
//!
//! Plain values, as small as can be, and without absolute times: a moment is told by its age, which stops growing where no rule
//! tells greater ages apart. So the states are finitely many though the runs between them are endless.

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) hosts: Vec<Host>,
}

/// An epoch and a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) epoch: u8,
    pub(crate) revision: u8,
}

/// The roster: one key, which the first revision grants on each host and a later one may revoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) at: At,
    /// The revision that revoked the key.
    pub(crate) revoked_at: Option<u8>,
    pub(crate) past: Past,
    /// Whether the hosts are out: bit by bit.
    pub(crate) out: u8,
}

/// Whether the roster's history is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Past {
    /// Never restored.
    Straight,
    /// Restored, with the epoch raised and the revocations replayed.
    Restored,
    /// Restored without either.
    Forgotten,
    /// … and written since: one tag may name two contents.
    Forked,
}

/// A signed snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Doc {
    pub(crate) host: u8,
    pub(crate) at: At,
    /// Whether the key may log in by it.
    pub(crate) granted: bool,
}

/// A moment in the past of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Stamp {
    /// How long ago it truly was.
    pub(crate) age: u8,
    /// By how much the wall clock was ahead of the truth.
    pub(crate) ahead: i8,
    /// In which boot.
    pub(crate) boot: u8,
    /// How old it is at least, by what a later boot found.
    pub(crate) least: Option<Least>,
}

/// The least age of a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Least {
    pub(crate) age: u8,
    /// The boot that found it, and in which the age grows.
    pub(crate) boot: u8,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Host {
    pub(crate) daemon: Option<Daemon>,
    pub(crate) disk: Disk,
    pub(crate) questions: [Option<Question>; QUESTIONS],
    /// By how much its wall clock is ahead of the truth.
    pub(crate) ahead: i8,
    pub(crate) boot: u8,
    pub(crate) truth: Truth,
}

/// What a process knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Memory {
    pub(crate) held: Option<Doc>,
    pub(crate) confirmed: Option<Stamp>,
    pub(crate) refused: bool,
    pub(crate) seen: At,
}

/// A running daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Daemon {
    pub(crate) memory: Memory,
    /// Whether what is held is not on disk yet.
    pub(crate) owes: bool,
}

/// The files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    pub(crate) snapshot: Option<Doc>,
    pub(crate) high_water: Option<At>,
    pub(crate) confirmed: Option<Confirmed>,
}

/// `confirmed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Confirmed {
    pub(crate) of: Option<At>,
    pub(crate) when: Stamp,
    pub(crate) refused: bool,
}

/// A question on its way, or its answer on the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Question {
    pub(crate) asker: Asker,
    /// What it names.
    pub(crate) held: Option<At>,
    /// The highest that had been seen.
    pub(crate) seen: At,
    pub(crate) sent: Stamp,
    pub(crate) answer: Option<Said>,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Asker {
    Daemon,
    /// A `lookup-once`, with what it loaded.
    Once(Memory),
}

/// What the key server said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Said {
    Unchanged,
    Document(Doc),
    Out,
    /// What it said to another question; "unchanged" where there is no document.
    Repeated(Option<Doc>),
    /// Likewise, under a heartbeat for this question that vouches for what there is now.
    MixedUp {
        with: Option<Doc>,
        vouched: At,
    },
}

/// What nobody in the world knows and the claims are measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Truth {
    /// When the last question was sent that the key server answered while the key was granted.
    pub(crate) vouched: Option<Stamp>,
    /// Likewise, the last by the wall clock.
    pub(crate) vouched_by_wall: Option<Stamp>,
    /// The newest state without the key that was acknowledged or is whole on the disk.
    pub(crate) settled: Option<At>,
    /// Whether the host learned of the revocation and did with its disk what it could.
    pub(crate) struck: bool,
    /// The daemon was told that the host is out, when it asked then.
    pub(crate) daemon_refused: Option<Stamp>,
    /// So was whoever wrote the disk last.
    pub(crate) disk_refused: Option<Stamp>,
    /// Whether a file was lost.
    pub(crate) lost: bool,
    /// By how much the wall clock was ahead when the daemon began.
    pub(crate) began_ahead: Option<i8>,
}

/// From when on a host's own bounds let a word of the key server's count no more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forgettable {
    /// Ages above it.
    pub(crate) bound: u8,
    /// Whether any word counts in a later boot.
    pub(crate) across_boots: bool,
}

/// Questions of one host that may be on their way together.
pub(crate) const QUESTIONS: usize = 2;

/// What enrolment leaves.
pub(crate) const FIRST: At = At {
    epoch: 1,
    revision: 1,
};

impl Server {
    /// Whether the key may log in.
    pub(crate) fn grants(self) -> bool {
        self.revoked_at.is_none()
    }

    /// The snapshot that it would make for `host`.
    pub(crate) fn doc(self, host: u8) -> Doc {
        Doc {
            host,
            at: self.at,
            granted: self.grants(),
        }
    }

    pub(crate) fn is_out(self, host: u8) -> bool {
        self.out & (1 << host) != 0
    }
}

impl Host {
    /// One that was just enrolled.
    pub(crate) fn enrolled() -> Self {
        Self {
            daemon: None,
            disk: Disk {
                snapshot: None,
                high_water: Some(FIRST),
                confirmed: None,
            },
            questions: [None; QUESTIONS],
            ahead: 0,
            boot: 0,
            truth: Truth {
                vouched: None,
                vouched_by_wall: None,
                settled: None,
                struck: false,
                daemon_refused: None,
                disk_refused: None,
                lost: false,
                began_ahead: None,
            },
        }
    }

    /// This moment.
    pub(crate) fn now(&self) -> Stamp {
        Stamp {
            age: 0,
            ahead: self.ahead,
            boot: self.boot,
            least: None,
        }
    }

    /// Forgets what no claim can ask for any more, so that states which differ in nothing else are one.
    pub(crate) fn forget(&mut self, past: Forgettable) {
        let (boot, truth) = (self.boot, &mut self.truth);
        // Questions end with their boot: any later word is of a newer one.
        truth.vouched = truth
            .vouched
            .filter(|when| when.boot == boot && when.age <= past.bound);
        // A wall clock is never behind the truth, so by it none gets younger than this.
        truth.vouched_by_wall = truth
            .vouched_by_wall
            .filter(|when| past.across_boots && when.age_by_wall(0) <= i16::from(past.bound));
    }

    /// Lets one unit of time pass; ages stop at `oldest`.
    pub(crate) fn grow_older(&mut self, oldest: u8) {
        let boot = self.boot;
        let older = |stamp: &mut Stamp| {
            stamp.age = (stamp.age + 1).min(oldest);
            if let Some(least) = stamp.least.as_mut().filter(|least| least.boot == boot) {
                least.age = (least.age + 1).min(oldest);
            }
        };
        let older_memory = |memory: &mut Memory| memory.confirmed.iter_mut().for_each(older);
        self.daemon
            .iter_mut()
            .for_each(|daemon| older_memory(&mut daemon.memory));
        self.disk
            .confirmed
            .iter_mut()
            .for_each(|file| older(&mut file.when));
        for question in self.questions.iter_mut().flatten() {
            older(&mut question.sent);
            if let Asker::Once(memory) = &mut question.asker {
                older_memory(memory);
            }
        }
        let truth = &mut self.truth;
        truth
            .vouched
            .iter_mut()
            .chain(&mut truth.vouched_by_wall)
            .chain(&mut truth.daemon_refused)
            .chain(&mut truth.disk_refused)
            .for_each(older);
    }
}

impl Stamp {
    /// How long ago it was by a wall clock that is ahead of the truth by so much now.
    pub(crate) fn age_by_wall(self, ahead: i8) -> i16 {
        i16::from(self.age) + i16::from(ahead) - i16::from(self.ahead)
    }
}

impl Truth {
    /// The key server answered, while the key was granted, a question of that moment.
    pub(crate) fn vouch(&mut self, sent: Stamp) {
        if self.vouched.is_none_or(|vouched| sent.age <= vouched.age) {
            self.vouched = Some(sent);
        }
        let later = |vouched: Stamp| sent.age_by_wall(0) <= vouched.age_by_wall(0);
        if self.vouched_by_wall.is_none_or(later) {
            self.vouched_by_wall = Some(sent);
        }
    }

    /// This state was acknowledged or is whole on the disk.
    pub(crate) fn settle(&mut self, doc: Option<Doc>) {
        if let Some(doc) = doc.filter(|doc| !doc.granted) {
            self.settled = self.settled.max(Some(doc.at));
        }
    }

    /// The disk could not be written, and what had to be removed from it was.
    pub(crate) fn strike(&mut self, memory: Memory) {
        self.struck |= memory.held.is_some_and(|doc| !doc.granted);
    }

    /// All of this is on the disk; `refused` when the host is out.
    pub(crate) fn keep(&mut self, memory: Memory, refused: Option<Stamp>) {
        self.settle(memory.held);
        let later = |when: Stamp| memory.confirmed.is_some_and(|at| at.age <= when.age);
        match refused {
            Some(_) => self.disk_refused = self.disk_refused.or(refused),
            None if self.disk_refused.is_some_and(later) => self.disk_refused = None,
            None => {}
        }
    }
}
