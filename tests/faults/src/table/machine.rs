//! The machine and the host agent's process.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use keyroster_testkit::{Behaviour, Failure, Result, until};

use crate::documents::DAY_S;
use crate::host::Clocks;
use crate::rules::Effect::{Decided, NoAgent, Rebooted, Scarce, Unbelieved, Undecided};
use crate::stage::Stage;
use crate::table::Fault;

pub(super) fn rows() -> Vec<Fault> {
    let mut rows = clocks();
    rows.extend(scarcity());
    rows.extend(processes());
    rows
}

/// A clock is not set here: everything else happened ten years earlier or later, which is the same to whoever compares.
fn clocks() -> Vec<Fault> {
    vec![
        Fault::met_by_all("clock 10 years ahead", Undecided, |stage| {
            clock(stage, YEARS_S, false)
        })
        .how("the key server is down; what ends within those years has ended"),
        Fault::met_by_all("clock 10 years behind", Undecided, |stage| {
            clock(stage, -YEARS_S, false)
        })
        .how("the key server is down; what had ended does not begin again"),
        Fault::met_by_all(
            "clock 10 years ahead of the key server's",
            Decided,
            |stage| {
                clock(stage, YEARS_S, false)?;
                let sound = stage.sound()?;
                stage.serve(sound).map(drop)
            },
        ),
        Fault::met_by_all("clock 10 years behind the key server's", Decided, |stage| {
            clock(stage, -YEARS_S, false)?;
            let sound = stage.sound()?;
            stage.serve(sound).map(drop)
        }),
        Fault::met_by_all("reboot without the key server", Rebooted, |stage| {
            clock(stage, 0, true)
        })
        .how("no age is known for certain, so nothing is fresh"),
        Fault::met_by_all(
            "reboot with the clock 10 years ahead",
            Unbelieved,
            |stage| clock(stage, YEARS_S, true),
        )
        .how("everything is older than grace"),
        Fault::met_by_all(
            "reboot with the clock 10 years behind",
            Unbelieved,
            |stage| clock(stage, -YEARS_S, true),
        )
        .how("what is held was confirmed in the future: no age is known"),
    ]
}

fn scarcity() -> Vec<Fault> {
    vec![
        Fault::met_by_daemon("few file descriptors", Undecided, |stage| {
            stage.limit("ulimit -n 24");
            Ok(())
        })
        .upset(|stage| {
            stage.agent()?.wait_for_line("ready")?;
            for _ in 0..STRANGERS {
                if let Ok(stranger) = UnixStream::connect(stage.socket()) {
                    stage.keep(stranger);
                }
            }
            Ok(())
        })
        .how("24 in all, and 64 connections that say nothing"),
        Fault::met_by_daemon("little memory", Scarce, |stage| {
            stage.limit("ulimit -v 98304");
            stage.serve(Behaviour::Endless).map(drop)
        })
        .how("96 MiB of addresses, and a body that would take more: the host agent may end, and then says nothing"),
    ]
}

fn processes() -> Vec<Fault> {
    vec![
        Fault::met_by_daemon("host agent stopped with its socket open", NoAgent, |_| {
            Ok(())
        })
        .upset(stop)
        .how("SIGSTOP"),
        Fault::met_by_daemon("host agent killed, its socket left", NoAgent, |_| Ok(()))
            .upset(|stage| {
                stage.agent()?.wait_for_line("ready")?;
                stage.agent()?.kill().map(drop)
            })
            .how("SIGKILL"),
        Fault::met_by_daemon("host agent restarted under load", Undecided, |_| Ok(()))
            .under_load()
            .how("three times, while lookups ask"),
    ]
}

/// SIGSTOP reaches the threads of a process one by one, and after the call that sent it has returned.
fn stop(stage: &mut Stage<'_>) -> Result {
    stage.agent()?.wait_for_line("ready")?;
    stage.agent()?.freeze()?;
    let tasks = format!("/proc/{}/task", stage.agent()?.pid());
    until("every thread to stand still", STOP_LIMIT, || {
        let all =
            fs::read_dir(&tasks).map_err(|error| Failure::io("list", Path::new(&tasks), &error))?;
        let stand = all.flatten().all(|task| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.contains(") T ")
        });
        Ok(stand.then_some(()))
    })
}

fn clock(stage: &mut Stage<'_>, ahead_s: i64, rebooted: bool) -> Result {
    stage.set_clocks(Clocks { ahead_s, rebooted })
}

/// Ten years.
const YEARS_S: i64 = 3652 * DAY_S;
/// Connections that are opened and say nothing.
const STRANGERS: usize = 64;
/// The longest that the threads may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(20);
