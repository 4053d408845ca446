//! What one source may take is its own setting, and takes nothing from the others.

use crate::keys;
use crate::support::{Bench, OK, assert_found, assert_unavailable, found};

/// A bench whose only source is named `x`, whose script is `body` and whose limits are these.
fn bench(body: &str, limits: &str) -> Bench {
    let bench = Bench::new("");
    let program = bench.script("provider", body);
    let line = format!("ssh-ed25519 {}\n", keys::offered());
    bench.dir.file("output", line, 0o644).unwrap();
    let program = program.display();
    bench.configure(&format!(
        "authorized_keys: command:x\ncommand.x: {program}\n{limits}"
    ));
    bench
}

/// Whether it finds in one of some attempts: what is slow here is the machine that the tests run on.
fn finds(bench: &Bench) -> bool {
    (0..5).any(|_| bench.ask().code() == OK)
}

#[test]
fn a_source_that_needs_more_than_a_second_is_used_with_a_deadline_of_its_own() {
    let slow = "sleep 1.2; exec cat ${0%/*}/output";
    assert!(finds(&bench(slow, "command.x.deadline: 1700ms")));
    assert_unavailable(&bench(slow, "").ask());
}

#[test]
fn a_short_deadline_ends_a_source_that_would_have_answered() {
    let bench = bench(
        "sleep 0.9; exec cat ${0%/*}/output",
        "command.x.deadline: 50ms",
    );
    assert_unavailable(&bench.ask());
    assert!(bench.logged_once().contains("reason=deadline"));
}

#[test]
fn a_source_that_prints_more_than_its_own_cap_has_said_nothing() {
    let body = "cat ${0%/*}/output; head -c 2000 /dev/zero | tr '\\0' '\\n'";
    let capped = bench(body, "command.x.max-output: 1KiB");
    assert_unavailable(&capped.ask());
    assert!(capped.logged_once().contains("reason=too-much-output"));
    let roomy = bench(body, "command.x.max-output: 4KiB");
    assert_eq!(roomy.ask().code(), OK);
}

#[test]
fn sources_that_take_all_their_time_leave_some_to_the_ones_behind() {
    let bench = Bench::new("");
    let program = bench.script("hangs", "exec sleep 600");
    let program = program.display();
    bench.agent_saying(found(&[&keys::line()]));
    bench.configure(&format!(
        "authorized_keys: command:x command:y agent\n\
         command.x: {program}\ncommand.x.deadline: 1700ms\n\
         command.y: {program} %u\ncommand.y.deadline: 1700ms"
    ));
    assert!(finds(&bench), "{:?}", bench.logged());
    let tried = bench.logged().join("\n");
    assert!(
        !tried.contains("watchdog") && !tried.contains("no-time"),
        "{tried}"
    );
}

#[test]
fn a_limit_with_a_mistake_in_it_makes_every_answer_unavailable() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    for mistake in [
        "command.x.deadline: 1500",
        "command.x.deadline: 2s",
        "command.x.max-output: 2MiB",
        "command.x.timeout: 1s",
        "command.y.deadline: 1s",
    ] {
        bench.configure(&format!("command.x: /bin/true\n{mistake}"));
        assert_unavailable(&bench.ask());
    }
    bench.configure("command.x: /bin/true\ncommand.x.deadline: 1500ms");
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
}
