//! `--wait` while hosts confirm one after the other: what is shown meanwhile, and what Ctrl-C ends.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Stdio};

use keyroster_cli_snapshots::keys::{ALICE, ALICE_FINGERPRINT};
use keyroster_cli_snapshots::{Cli, EnrolledHost, enrol};
use keyroster_testkit::{Failure, KeyServer, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::terminal::Terminal;

/// A key server, somebody who may ask it, and three hosts that alice's key lets in to.
struct Estate {
    _server: KeyServer,
    cli: Cli,
    hosts: Vec<EnrolledHost>,
}

const REVOKE: [&str; 4] = ["key", "revoke", ALICE_FINGERPRINT, "--wait=2m"];

impl Estate {
    fn start() -> Result<Self> {
        let server = KeyServer::start()?;
        let mut cli = Cli::logged_in(&server)?;
        cli.run(&["user", "add", "alice"])?;
        cli.run_with_input(&["key", "add", "alice"], ALICE)?;
        cli.run(&["host-group", "add", "web"])?;
        let grant = "grant add --user alice --account deploy --host-group web";
        cli.run(&grant.split(' ').collect::<Vec<_>>())?;
        let names = ["web-1", "web-2", "web-3"];
        let hosts: Result<Vec<_>> = names
            .iter()
            .map(|name| enrol(&server, "web", name))
            .collect();
        Ok(Self {
            _server: server,
            cli,
            hosts: hosts?,
        })
    }

    /// The host comes to hold the newest, and says so.
    fn confirm(&mut self, host: usize) -> Result {
        let host = self.hosts.get_mut(host);
        let host = host.ok_or_else(|| Failure::new("no such host"))?;
        host.ask()?;
        host.ask()
    }

    /// How often alice's key was revoked.
    fn revocations(&mut self) -> Result<usize> {
        let log = self.cli.run(&["audit", "log", "--json"])?;
        Ok(log.matches("\"key.revoke\"").count())
    }

    fn spawn(&self, arguments: &[&str]) -> Result<Child> {
        let mut command = self.cli.command(arguments);
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(failed)
    }
}

fn rest(mut from: impl Read) -> Result<String> {
    let mut text = String::new();
    from.read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

#[test]
fn without_a_terminal_a_line_tells_how_many_hosts_have_confirmed_when_that_has_changed() {
    let mut estate = Estate::start().unwrap();
    let mut child = estate.spawn(&REVOKE).unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut next = || said.next().unwrap().unwrap();
    assert_eq!(next(), "waiting for the hosts: 0 of 3 have confirmed");
    estate.confirm(1).unwrap();
    assert_eq!(next(), "waiting for the hosts: 1 of 3 have confirmed");
    estate.confirm(0).unwrap();
    estate.confirm(2).unwrap();
    let answer = rest(child.stdout.take().unwrap()).unwrap();
    assert!(answer.contains("\nconfirmed by 3 hosts: p50 "), "{answer}");
    assert!(child.wait().unwrap().success());
    assert_eq!(
        estate.revocations().unwrap(),
        1,
        "it is asked again, and not done again"
    );
}

#[test]
fn with_json_nothing_but_the_receipt_is_said() {
    let mut estate = Estate::start().unwrap();
    let json: Vec<_> = REVOKE.into_iter().chain(["--json"]).collect();
    let mut child = estate.spawn(&json).unwrap();
    // Goes on for longer than it takes until the first line would come.
    let again = ["key", "revoke", ALICE_FINGERPRINT, "--wait=3s"];
    estate.cli.run(&again).unwrap();
    for host in 0..3 {
        estate.confirm(host).unwrap();
    }
    let answer: Value = serde_json::from_str(&rest(child.stdout.take().unwrap()).unwrap()).unwrap();
    assert_eq!(answer["confirmed"].as_array().unwrap().len(), 3);
    assert_eq!(rest(child.stderr.take().unwrap()).unwrap(), "");
    assert!(child.wait().unwrap().success());
}

#[test]
fn on_a_terminal_that_shows_nothing_that_moves_there_are_lines() {
    let mut estate = Estate::start().unwrap();
    let mut terminal = Terminal::open().unwrap();
    estate.cli.set("TERM", "dumb");
    let mut child = terminal.spawn(&mut estate.cli.command(&REVOKE)).unwrap();
    terminal
        .wait_for("hosts: 0 of 3 have confirmed\r\n")
        .unwrap();
    for host in 0..3 {
        estate.confirm(host).unwrap();
    }
    assert!(child.wait().unwrap().success());
}

#[test]
fn on_a_terminal_the_count_is_live_and_gone_at_the_end() {
    let mut estate = Estate::start().unwrap();
    let mut terminal = Terminal::open().unwrap();
    estate.cli.set("TERM", "xterm");
    let mut child = terminal.spawn(&mut estate.cli.command(&REVOKE)).unwrap();
    for host in 0..3 {
        terminal
            .wait_for(&format!("{host} of 3 have confirmed"))
            .unwrap();
        estate.confirm(host).unwrap();
    }
    assert!(child.wait().unwrap().success());
    let seen = terminal.end().unwrap();
    let last = seen.rsplit('\r').next().unwrap();
    assert!(!last.contains("have confirmed"), "{seen:?}");
}

#[test]
fn ctrl_c_ends_the_wait_and_says_how_to_go_on_with_it() {
    let mut estate = Estate::start().unwrap();
    let mut child = estate.spawn(&REVOKE).unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().contains("0 of 3"));
    interrupt(&child).unwrap();
    let answer = rest(child.stdout.take().unwrap()).unwrap();
    let revision = answer.lines().next().unwrap().rsplit(' ').next().unwrap();
    let again = format!("keyroster audit receipt {revision} --wait");
    let note = said.next().unwrap().unwrap();
    assert!(
        note.contains(&format!("the change holds. `{again}`")),
        "{note}"
    );
    assert_eq!(child.wait().unwrap().code(), Some(75));
    for host in 0..3 {
        estate.confirm(host).unwrap();
    }
    let arguments: Vec<_> = again.split(' ').skip(1).collect();
    let receipt = estate.cli.run(&arguments).unwrap();
    assert!(receipt.contains("web-3"), "{receipt}");
    assert_eq!(estate.revocations().unwrap(), 1);
}

fn interrupt(child: &Child) -> Result {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Failure::new("no such process"))?;
    kill_process(pid, Signal::INT).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}
