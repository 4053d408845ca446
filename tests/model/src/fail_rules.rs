//! What is visited, whole, under the rules as they are.
//!
//! One world with everything in it has too many states, so each of these has a part of what can go wrong, together with the key
//! server's writes and the time that passes, without end. Questions and answers may be late or lost in all of them.

use std::collections::BTreeSet;

use keyroster_api::freshness::ModeText;

use crate::documents::Bounds;
use crate::explore::{Visited, explore};
use crate::machine::{Hosts, Model, Processes, Restores, Scope};
use crate::rules::Rules;

/// One host whose daemon asks one question at a time, and nothing worse than lost answers.
pub(crate) fn scope() -> Scope {
    Scope {
        bounds: vec![bounds(ModeText::Grace)],
        visited: Hosts::All,
        revisions: 3,
        processes: Processes::Daemon,
        questions: 1,
        repeated: false,
        meddling: false,
        crashes: true,
        outs: false,
        restores: Restores::None,
        bad_disk: false,
        wall_error: 0,
        reboots: 0,
    }
}

/// Logins without a daemon, two at a time.
pub(crate) fn without_daemon() -> Scope {
    Scope {
        processes: Processes::LookupOnce,
        revisions: 2,
        questions: 2,
        ..scope()
    }
}

pub(crate) fn bounds(mode: ModeText) -> Bounds {
    Bounds {
        max_staleness: 1,
        grace: 2,
        mode,
    }
}

/// Visits all of it.
pub(crate) fn visit(scope: Scope, rules: Rules) -> (Visited, BTreeSet<String>) {
    let model = Model::new(scope, rules);
    let visited = explore(&model, MAX_STATES);
    println!(
        "{rules:?}: {} states, {} steps, {} deep",
        visited.states, visited.steps, visited.depth
    );
    if let Some(trace) = &visited.fault {
        println!("{trace}");
    }
    (visited, model.adapter.sighted())
}

pub(crate) fn holds(scope: Scope) -> BTreeSet<String> {
    let (visited, sighted) = visit(scope, Rules::Whole);
    if let Some(trace) = visited.fault {
        panic!("{trace}");
    }
    sighted
}

#[test]
fn two_hosts_of_different_bounds_never_let_in_a_key_past_its_revocation() {
    let bounds = |grace, mode| Bounds {
        max_staleness: 1,
        grace,
        mode,
    };
    holds(Scope {
        bounds: vec![bounds(1, ModeText::Grace), bounds(0, ModeText::Strict)],
        revisions: 2,
        crashes: false,
        ..scope()
    });
}

#[test]
fn answers_that_are_repeated_reordered_mixed_up_or_misdirected_let_nobody_in() {
    holds(Scope {
        revisions: 2,
        questions: 2,
        repeated: true,
        meddling: true,
        ..scope()
    });
    holds(Scope {
        meddling: true,
        ..scope()
    });
}

#[test]
fn a_host_that_was_refused_lets_nobody_in() {
    for mode in [ModeText::Grace, ModeText::Strict] {
        holds(Scope {
            bounds: vec![bounds(mode)],
            revisions: 2,
            outs: true,
            ..scope()
        });
    }
}

#[test]
fn a_restored_key_server_brings_no_revoked_key_back() {
    holds(Scope {
        restores: Restores::Any,
        ..scope()
    });
}

#[test]
fn a_disk_that_fails_or_loses_a_file_brings_no_revoked_key_back() {
    holds(Scope {
        revisions: 2,
        bad_disk: true,
        ..scope()
    });
}

#[test]
fn a_wall_clock_that_jumps_and_reboots_let_nobody_in_past_the_bounds() {
    for mode in [ModeText::Grace, ModeText::Strict] {
        holds(Scope {
            bounds: vec![Bounds {
                grace: 1,
                ..bounds(mode)
            }],
            revisions: 2,
            crashes: false,
            wall_error: 1,
            reboots: 1,
            ..scope()
        });
    }
}

#[test]
fn logins_without_a_daemon_that_overtake_each_other_let_nobody_in() {
    holds(Scope {
        outs: true,
        ..without_daemon()
    });
    holds(Scope {
        restores: Restores::Any,
        ..without_daemon()
    });
    holds(Scope {
        bad_disk: true,
        questions: 1,
        ..without_daemon()
    });
}

#[test]
fn every_standing_outcome_doubt_and_reason_is_met() {
    let strict = Scope {
        bounds: vec![bounds(ModeText::Strict)],
        revisions: 2,
        outs: true,
        meddling: true,
        ..scope()
    };
    let without_daemon = Scope {
        questions: 1,
        ..without_daemon()
    };
    let restored = Scope {
        restores: Restores::Any,
        ..without_daemon.clone()
    };
    let failing = Scope {
        bad_disk: true,
        ..without_daemon
    };
    let scopes = [strict, restored, failing];
    let met: BTreeSet<String> = scopes.into_iter().flat_map(holds).collect();
    let expected = EXPECTED.iter().map(|what| (*what).to_owned()).collect();
    assert_eq!(met, expected);
}

/// States of the largest part, and some more.
pub(crate) const MAX_STATES: usize = 100_000_000;

/// All that the rules tell apart, and can come to here.
const EXPECTED: &[&str] = &[
    "answered without asking",
    "doubt no high water",
    "doubt snapshot",
    "doubt unconfirmed",
    "outcome accepted",
    "outcome contradiction",
    "outcome failed",
    "outcome not modified",
    "outcome other host",
    "outcome refused",
    "outcome unvouched",
    "outcome went back",
    "reason Clock",
    "reason Granted",
    "reason GrantedStale",
    "reason HostRefused",
    "reason NoGrant",
    "reason NoSnapshot",
    "reason PastGrace",
    "reason StrictStale",
    "standing AgeUnknown",
    "standing Fresh",
    "standing PastGrace",
    "standing StrictlyStale",
    "standing WithinGrace",
];
