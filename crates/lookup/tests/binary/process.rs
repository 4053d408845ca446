//! What the process is given and what it leaves behind.

use std::fs;
use std::path::Path;

use keyroster_testkit::until;

use crate::keys;
use crate::support::{Bench, LIMIT, assert_found, assert_unavailable, found, run};

/// A program that leaves a child of its own behind, then does `rest`. Both write down who they are.
const LEAVES_A_CHILD: &str = "cd ${0%/*}/spool; echo $$ >parent; sleep 600 & echo $! >child; ";

/// Waits until neither program of the script is running any more.
fn assert_all_ended(spool: &Path) {
    for name in ["parent", "child"] {
        let pid = fs::read_to_string(spool.join(name)).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let ended = || {
            // One that nobody has reaped yet has ended too; its state stands behind its name in parentheses.
            let state = fs::read_to_string(&stat).ok();
            let running =
                state.is_some_and(|stat| !stat.rsplit(") ").next().unwrap_or("").starts_with('Z'));
            Ok((!running).then_some(()))
        };
        until(&format!("the {name} to end"), LIMIT, ended).unwrap();
    }
}

#[test]
fn a_program_that_hangs_is_ended_with_everything_it_started() {
    let bench = Bench::new("");
    let spool = bench.spool();
    let program = bench.script("hangs", &format!("{LEAVES_A_CHILD} wait"));
    for source in [
        format!("command:{}", program.display()),
        "direct".to_owned(),
    ] {
        bench.configure(&format!(
            "authorized_keys: {source}\ndirect_program: {}",
            program.display()
        ));
        assert_unavailable(&bench.ask());
        assert!(bench.logged_once().contains("reason=deadline"));
        assert_all_ended(&spool);
    }
}

#[test]
fn a_child_that_holds_the_output_open_is_ended() {
    let bench = Bench::new("");
    let spool = bench.spool();
    let program = bench.script("leaves", LEAVES_A_CHILD);
    bench.configure(&format!("authorized_keys: command:{}", program.display()));
    assert_unavailable(&bench.ask());
    assert_all_ended(&spool);
}

#[test]
fn a_child_that_was_left_without_the_output_is_ended_too() {
    let bench = Bench::new("");
    let spool = bench.spool();
    let line = format!("ssh-ed25519 {}", keys::offered());
    let script = LEAVES_A_CHILD.replace("sleep 600", "sleep 600 >/dev/null");
    let program = bench.script("leaves", &format!("{script} echo {line}"));
    bench.configure(&format!("authorized_keys: command:{}", program.display()));
    assert_found(&bench.ask(), &format!("{line} {}\n", program.display()));
    assert_all_ended(&spool);
}

#[test]
fn a_program_does_not_outlive_a_lookup_that_is_killed() {
    let bench = Bench::new("");
    let spool = bench.spool();
    let script = "cd ${0%/*}/spool; echo $$ >child; cp child parent; exec sleep 600";
    let program = bench.script("hangs", script);
    bench.configure(&format!("authorized_keys: command:{}", program.display()));
    // The lookup itself ends the program after a second; on a busy machine that may come first, and is another matter.
    let killed_in_time = || {
        let mut lookup = bench.command(&bench.arguments("deploy")).spawn().unwrap();
        let begun = || spool.join("parent").exists();
        until("the program to begin", LIMIT, || {
            Ok((begun() || lookup.try_wait().unwrap().is_some()).then_some(()))
        })?;
        lookup.kill().unwrap();
        let status = lookup.wait().unwrap();
        Ok((begun() && status.code().is_none()).then_some(()))
    };
    until("a lookup to be killed", LIMIT, killed_in_time).unwrap();
    assert_all_ended(&spool);
}

#[test]
fn with_a_standard_descriptor_closed_nothing_is_answered() {
    let bench = Bench::new("");
    let requests = bench.agent_saying(found(&[&keys::line()]));
    for closing in ["<&-", ">&-", "2>&-"] {
        let script = format!("exec \"$@\" {closing}");
        assert_unavailable(&run(&mut bench.command_line(&["sh", "-c", &script, "sh"])));
    }
    assert!(requests.try_recv().is_err());
}

#[test]
fn nothing_of_the_environment_changes_the_answer() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    let mut command = bench.command(&bench.arguments("deploy"));
    for name in [
        "HOME",
        "PATH",
        "LANG",
        "TZ",
        "USER",
        "RUST_BACKTRACE",
        "MALLOC_ARENA_MAX",
        "KEYROSTER_CONFIG",
    ] {
        command.env(name, "../../etc/x");
    }
    command.current_dir(bench.dir.path());
    assert_found(&run(&mut command), &format!("{}\n", keys::line()));
}
