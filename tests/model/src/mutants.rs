//! That the check finds what it looks for: each broken rule leads to a wrong answer, of the kind that the rule is there against.

use keyroster_api::freshness::ModeText;

use crate::fail_rules::{bounds, scope, visit, without_daemon};
use crate::machine::{Restores, Scope};
use crate::rules::Rules;

/// Breaks the rule and demands the fault.
fn finds(rules: Rules, scope: Scope, fault: &str) {
    let (visited, _) = visit(scope, rules);
    let trace = visited
        .fault
        .unwrap_or_else(|| panic!("{rules:?} was not found"));
    assert!(trace.fault.contains(fault), "{rules:?}: {trace}");
}

fn two_at_a_time() -> Scope {
    Scope {
        questions: 2,
        ..scope()
    }
}

fn meddled() -> Scope {
    Scope {
        meddling: true,
        ..scope()
    }
}

fn jumping(mode: ModeText) -> Scope {
    Scope {
        bounds: vec![bounds(mode)],
        wall_error: 1,
        reboots: 1,
        ..scope()
    }
}

#[test]
fn an_ignored_high_water_is_found() {
    finds(Rules::HighWaterIgnored, two_at_a_time(), "acknowledged");
    let restored = Scope {
        restores: Restores::Any,
        ..scope()
    };
    finds(Rules::HighWaterIgnored, restored, "acknowledged");
}

#[test]
fn an_answer_to_nobody_in_particular_is_found() {
    finds(Rules::OtherHostAccepted, meddled(), "not granted on this");
    finds(Rules::HeartbeatIgnored, meddled(), "bounds");
    finds(Rules::ContradictionIgnored, meddled(), "bounds");
}

#[test]
fn a_confirmation_that_is_none_is_found() {
    finds(Rules::ConfirmedOnArrival, scope(), "bounds");
    finds(Rules::ConfirmedByFailure, meddled(), "bounds");
    finds(Rules::NamedBeforeKept, scope(), "acknowledged");
}

#[test]
fn an_age_that_is_told_wrong_is_found() {
    let (grace, strict) = (ModeText::Grace, ModeText::Strict);
    finds(Rules::ReckonedIsFresh, jumping(strict), "bounds");
    finds(Rules::BackwardsIsNow, jumping(grace), "set back");
    finds(Rules::WallClockTrusted, jumping(grace), "set back");
    finds(Rules::FoundForgotten, jumping(grace), "set back");
}

#[test]
fn a_bound_that_is_not_kept_is_found() {
    finds(Rules::GraceWithoutEnd, scope(), "bounds");
    let strict = Scope {
        bounds: vec![bounds(ModeText::Strict)],
        ..scope()
    };
    finds(Rules::StrictIsGrace, strict, "bounds");
}

#[test]
fn a_refusal_that_is_forgotten_is_found() {
    let refusing = Scope {
        outs: true,
        ..scope()
    };
    finds(Rules::RefusalIgnored, refusing.clone(), "refused");
    finds(Rules::RefusalNotKept, refusing, "refused");
}

#[test]
fn a_late_answer_that_overwrites_a_newer_one_is_found() {
    finds(
        Rules::LateAnswerOverwrites,
        without_daemon(),
        "acknowledged",
    );
}

#[test]
fn a_disk_that_keeps_what_it_may_not_is_found() {
    let failing = Scope {
        bad_disk: true,
        ..scope()
    };
    finds(Rules::NothingRemoved, failing, "learned");
}
