//! What is claimed of every state, measured by what nobody in the world knows.

use std::fmt;

use keyroster_api::freshness::ModeText;

use crate::documents::{BLOB, LOCAL_BLOB, OWN_BLOBS};
use crate::rules::Adapter;
use crate::world::{Host, Memory, Past, Server, Stamp};

/// A wrong answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The host had acknowledged a state without the key, or had one on its disk.
    AfterReceipt,
    /// It had learned that the key is revoked and could only take away what was on its disk.
    AfterLearning,
    /// The last word that could let the key in is older than the bounds allow.
    PastBounds,
    /// The key server had said that the host is out.
    AfterRefusal,
    /// The key is granted on another host, or nowhere.
    NeverGranted,
    /// A wall clock that was set back let the key in again.
    Revived,
}

/// A process that answers: what it knows, and when it was told that the host is out.
pub(crate) struct Answering {
    pub(crate) host: u8,
    pub(crate) memory: Memory,
    pub(crate) refused: Option<Stamp>,
    /// Whether it began by what is on the disk, or has written it.
    pub(crate) by_disk: bool,
}

/// What is wrong with the answers of this process on this host.
pub(crate) fn wrong_answer(
    adapter: &Adapter,
    server: Server,
    host: &Host,
    answering: &Answering,
) -> Option<Fault> {
    let found = |blob| adapter.found(answering.memory, host.now(), blob);
    let others = OWN_BLOBS[1 - usize::from(answering.host)];
    if found(others) || found(LOCAL_BLOB) {
        return Some(Fault::NeverGranted);
    }
    let own = OWN_BLOBS[usize::from(answering.host)];
    if answering.refused.is_some() && (found(own) || found(BLOB)) {
        return Some(Fault::AfterRefusal);
    }
    if !found(BLOB) {
        return None;
    }
    if before_confirmation(host, answering.memory) {
        return Some(Fault::Revived);
    }
    let by = answering.memory.held?.at;
    let forgotten = matches!(server.past, Past::Forgotten | Past::Forked);
    // Who was asked before the disk lost a file has nothing to tell by that another one asked later.
    let settled = host
        .truth
        .settled
        .filter(|_| answering.by_disk || !host.truth.lost);
    if settled.is_some_and(|settled| !forgotten || by < settled) {
        return Some(Fault::AfterReceipt);
    }
    if host.truth.struck && answering.by_disk && !forgotten {
        return Some(Fault::AfterLearning);
    }
    let passed = server.past != Past::Forked && !server.grants();
    (passed && past_bounds(adapter, host, answering.host)).then_some(Fault::PastBounds)
}

/// Whether a key that was granted when the key server last vouched for it, and never since, may be let in no more.
///
/// Across a boot a true age is not to be had: there the wall clock's is claimed, and `strict` allows nothing.
fn past_bounds(adapter: &Adapter, host: &Host, number: u8) -> bool {
    let truth = &host.truth;
    let bounds = adapter.library.bounds(number);
    let bound = bounds.longest();
    let in_this_boot = |when: Stamp| when.boot == host.boot && when.age <= bound;
    let across_boots = |when: Stamp| {
        host.boot > 0
            && bounds.mode == ModeText::Grace
            && when.age_by_wall(host.ahead) <= i16::from(bound)
    };
    !truth.vouched.is_some_and(in_this_boot) && !truth.vouched_by_wall.is_some_and(across_boots)
}

/// Whether the wall clock stands before the confirmation of another boot.
fn before_confirmation(host: &Host, memory: Memory) -> bool {
    memory
        .confirmed
        .is_some_and(|when| when.boot != host.boot && when.age_by_wall(host.ahead) < 0)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AfterReceipt => "the key is let in after its revocation was acknowledged",
            Self::AfterLearning => "the key is let in after its revocation was learned",
            Self::PastBounds => "the key is let in later than the bounds allow",
            Self::AfterRefusal => "a key is let in after the host was refused",
            Self::NeverGranted => "a key is let in that is not granted on this host",
            Self::Revived => "a wall clock that was set back lets the key in again",
        })
    }
}
