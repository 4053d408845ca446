//! Whatever hangs, the process ends by itself and says "undecided".

use std::io::Write;
use std::process::Stdio;
use std::sync::mpsc::channel;

use keyroster_testkit::until;

use crate::keys;
use crate::support::{Bench, LIMIT, UNAVAILABLE, assert_found, assert_unavailable, found, run};

/// Lets the host agent accept connections and say nothing, keeping them open.
fn hang(bench: &Bench) {
    let mut connections = Vec::new();
    bench.agent(move |stream| connections.push(stream));
}

#[test]
fn a_host_agent_that_accepts_and_says_nothing_is_given_up() {
    let bench = Bench::new("");
    hang(&bench);
    assert_unavailable(&bench.ask());
    assert!(bench.logged_once().contains("reason=deadline"));
}

#[test]
fn a_host_agent_that_accepts_nobody_is_given_up() {
    let bench = Bench::new("");
    let (sender, asked) = channel();
    // It stops accepting with the first connection, and its queue fills up behind that.
    bench.agent(move |_stream| {
        sender.send(()).unwrap();
        loop {
            std::thread::park();
        }
    });
    let mut queue = Vec::new();
    let (connected, connections) = channel();
    let path = bench.path("agent.sock");
    std::thread::spawn(move || {
        while let Ok(stream) = std::os::unix::net::UnixStream::connect(&path) {
            connected.send(stream).unwrap();
        }
    });
    asked.recv().unwrap();
    while let Ok(stream) = connections.recv_timeout(std::time::Duration::from_millis(500)) {
        queue.push(stream);
    }
    assert_unavailable(&bench.ask());
    assert!(bench.logged_once().contains("reason=deadline"));
}

#[test]
fn every_source_hanging_at_once_is_given_up() {
    let bench = Bench::new("");
    hang(&bench);
    let program = bench.script("hangs", "sleep 600");
    let program = program.display();
    bench.configure(&format!(
        "authorized_keys: agent direct command:{program}\ndirect_program: {program}"
    ));
    assert_unavailable(&bench.ask());
    let message = bench.logged_once();
    assert!(
        message.contains("tried=agent:tryagain,direct:tryagain,command:"),
        "{message}"
    );
}

#[test]
fn a_source_that_answers_is_still_asked_after_one_that_hung() {
    let bench = Bench::new("");
    hang(&bench);
    bench
        .dir
        .file("found", found(&[&keys::line()]), 0o644)
        .unwrap();
    let program = bench.script("direct", "exec cat ${0%/*}/found");
    bench.configure(&format!(
        "authorized_keys: agent direct\ndirect_program: {}",
        program.display()
    ));
    assert_found(&bench.ask(), &format!("{}\n", keys::line()));
}

/// Runs the program with an output that has no room and that nobody reads; returns its exit code.
fn ask_without_a_reader(bench: &Bench, wrapper: &[&str]) -> Option<i32> {
    let (_reader, mut writer) = std::io::pipe().unwrap();
    let room = 64 * 1024;
    writer.write_all(&vec![b'x'; room]).unwrap();
    let mut child = bench
        .command_line(wrapper)
        .stdout(Stdio::from(writer))
        .spawn()
        .unwrap();
    let status = until("the program to end by itself", LIMIT, || {
        Ok(child.try_wait().ok().flatten())
    });
    if status.is_err() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    status.unwrap().code()
}

#[test]
fn a_reader_that_does_not_read_is_given_up() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    assert_eq!(ask_without_a_reader(&bench, &["env"]), UNAVAILABLE);
    let messages = bench.logged();
    assert!(messages[0].contains("answer=found"), "{messages:?}");
    assert!(messages[1].contains("reason=watchdog"), "{messages:?}");
}

#[test]
fn a_parent_that_blocks_or_ignores_the_alarm_does_not_switch_the_watchdog_off() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    assert_eq!(
        ask_without_a_reader(&bench, &["env", "--block-signal=ALRM"]),
        UNAVAILABLE
    );
    assert_eq!(
        ask_without_a_reader(&bench, &["env", "--ignore-signal=ALRM"]),
        UNAVAILABLE
    );
}

#[test]
fn the_watchdog_leaves_an_answer_in_time_alone() {
    let bench = Bench::new("");
    bench.agent_saying(found(&[&keys::line()]));
    assert_found(
        &run(&mut bench.command_line(&["env"])),
        &format!("{}\n", keys::line()),
    );
}
