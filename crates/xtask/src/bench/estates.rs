//! Estates of generated hosts, each measured by a program of `tests/bench` and told as one row of figures beside its aim.

use std::time::Duration;

use keyroster_testkit::{BIN_DIR_VARIABLE, Program, Result};
use serde::{Deserialize, Serialize};

use super::Options;
use super::figures::{Aim, number};
use crate::workspace::{Profile, Workspace, parse_json};

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Results {
    revocations: Revocations,
    estate: Estate,
    returning: Estate,
    sizes: Sizes,
    start: Host,
    memory: Host,
}

/// Durations, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Spread {
    count: usize,
    p50_ms: f64,
    p99_ms: f64,
    pub(super) max_ms: f64,
}

/// The report of `revocations`.
#[derive(Debug, Serialize, Deserialize)]
struct Revocations {
    hosts: u64,
    refusal: Spread,
    receipt: Spread,
    unconfirmed: u64,
    accepted_after_receipt: u64,
    logins: u64,
    logins_refused: u64,
    writes: u64,
}

/// The report of `estate`.
#[derive(Debug, Serialize, Deserialize)]
struct Estate {
    hosts: u64,
    connected_s: f64,
    all_confirmed: Spread,
    slowest_host: Spread,
    pending: u64,
    woken_in_vain: u64,
    server_mib: u64,
    fresh_again_s: f64,
    logins: u64,
    logins_refused: u64,
}

/// The report of `sizes`.
#[derive(Debug, Serialize, Deserialize)]
struct Sizes {
    hosts: u64,
    keys: u64,
    authorized_keys: u64,
    rows: Vec<SizeRow>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SizeRow {
    what: String,
    small: Spread,
    large: Spread,
}

/// The report of `large-host`.
#[derive(Debug, Serialize, Deserialize)]
struct Host {
    accounts: u64,
    snapshot_bytes: u64,
    peak_kib_fetched: u64,
    peak_kib_started: u64,
    start: Spread,
    change: Spread,
    change_bytes: u64,
}

/// Runs the programs, one after the other.
pub fn measure(workspace: &Workspace, options: &Options) -> Result<Results> {
    let run = |name, pairs: &[(&str, u32)]| run(workspace, name, pairs);
    let parse = |name, said: String| parse_estate(name, &said);
    let estate = |hosts| {
        parse(
            "estate",
            run("estate", &[("--hosts", options.runs(hosts))])?,
        )
    };
    let host = |accounts| run("large-host", &[("--accounts", options.runs(accounts))]);
    let trials = [("--hosts", HOSTS), ("--trials", options.runs(TRIALS))];
    Ok(Results {
        revocations: parse_json("revocations", &run("revocations", &trials)?)?,
        estate: estate(LARGE_ESTATE)?,
        returning: estate(RETURNING)?,
        sizes: parse_json("sizes", &run("sizes", &[("--hosts", sizes(options))])?)?,
        start: parse_json("large-host", &host(MANY_ACCOUNTS)?)?,
        memory: parse_json("large-host", &host(ACCOUNTS)?)?,
    })
}

fn parse_estate(name: &str, said: &str) -> Result<Estate> {
    parse_json(name, said)
}

/// The smaller of the two rosters has a hundredth of its hosts, so a tenth is the least that makes sense.
fn sizes(options: &Options) -> u32 {
    options.runs(LARGE_ESTATE).max(1_500)
}

pub(super) fn run(workspace: &Workspace, name: &str, pairs: &[(&str, u32)]) -> Result<String> {
    let program = Program::at(&workspace.target.join("release").join(name))
        .env(BIN_DIR_VARIABLE, workspace.dist(Profile::Release));
    let program = pairs.iter().fold(program, |program, (flag, value)| {
        program.arg(flag).arg(value.to_string())
    });
    program.finish_within(LONGEST)?.success(name)
}

impl Results {
    /// The aims, in the words of the design.
    pub fn aims(&self) -> Vec<Aim> {
        let revocations = &self.revocations;
        let mut aims = vec![
            Aim::at_most(
                "revocation until refusal, p50, ms",
                revocations.refusal.p50_ms,
                10.0,
            ),
            Aim::at_most("the same, p99, ms", revocations.refusal.p99_ms, 50.0),
            Aim::at_most("the same, max, ms", revocations.refusal.max_ms, 1_000.0),
            Aim::at_most(
                "acceptances after a confirmed receipt",
                revocations.accepted_after_receipt as f64,
                0.0,
            ),
            Aim::at_most(
                "a write for all hosts until the last has confirmed, s",
                self.estate.all_confirmed.max_ms / 1e3,
                5.0,
            ),
            Aim::at_most(
                "the key server's memory then, MiB",
                self.estate.server_mib as f64,
                1024.0,
            ),
            Aim::at_most(
                "a write for one host: others woken",
                self.estate.woken_in_vain as f64,
                0.0,
            ),
        ];
        aims.extend(self.sizes.rows.iter().map(|row| {
            let what = format!("{}, large roster / a hundredth of it", row.what);
            Aim::at_most(&what, row.large.p50_ms / row.small.p50_ms, 1.5)
        }));
        aims.extend(self.aims_of_hosts());
        aims
    }

    fn aims_of_hosts(&self) -> [Aim; 5] {
        [
            Aim::at_most(
                "start of a host agent, most accounts, s",
                self.start.start.max_ms / 1e3,
                1.0,
            ),
            Aim::at_most(
                "its memory, MiB",
                self.start.peak_kib_started as f64 / 1024.0,
                150.0,
            ),
            Aim::at_most(
                "memory of a host agent with 10,000 accounts, MiB",
                self.memory
                    .peak_kib_started
                    .max(self.memory.peak_kib_fetched) as f64
                    / 1024.0,
                20.0,
            ),
            Aim::at_most(
                "hosts after a restart: all fresh, s",
                self.returning.fresh_again_s,
                30.0,
            ),
            Aim::at_most(
                "logins that failed meanwhile",
                (self.returning.logins_refused + self.estate.logins_refused) as f64,
                0.0,
            ),
        ]
    }

    /// Prints the table.
    pub fn print(&self) {
        header();
        let revocations = &self.revocations;
        let trials = format!(
            "revocation until refusal, {} hosts, {} trials",
            revocations.hosts, revocations.refusal.count
        );
        row(&trials, revocations.refusal);
        row("revocation until its receipt", revocations.receipt);
        for estate in [&self.estate, &self.returning] {
            let what = format!(
                "a write for all of {} hosts, until its receipt",
                estate.hosts
            );
            row(&what, estate.all_confirmed);
        }
        for size in &self.sizes.rows {
            row(
                &format!(
                    "{}, {} authorized keys",
                    size.what, self.sizes.authorized_keys
                ),
                size.large,
            );
            row("  a hundredth of that", size.small);
        }
        for host in [&self.start, &self.memory] {
            row(
                &format!("start with {} accounts on disk", host.accounts),
                host.start,
            );
            row("  a change of one account, until its receipt", host.change);
        }
        println!();
        self.print_counts();
    }

    fn print_counts(&self) {
        let revocations = &self.revocations;
        println!(
            "beside the revocations: {} logins, {} refused; {} writes; {} receipts with a host pending",
            revocations.logins,
            revocations.logins_refused,
            revocations.writes,
            revocations.unconfirmed
        );
        for estate in [&self.estate, &self.returning] {
            println!(
                "{} hosts: connected in {:.1} s, {} MiB at the key server; fresh {:.1} s after a crash, {} of {} logins refused",
                estate.hosts,
                estate.connected_s,
                estate.server_mib,
                estate.fresh_again_s,
                estate.logins_refused,
                estate.logins
            );
        }
        for host in [&self.start, &self.memory] {
            println!(
                "{} accounts of three keys: snapshot of {} bytes, {} bytes for a change of one account; peak {} KiB fetched, {} KiB from disk",
                host.accounts,
                host.snapshot_bytes,
                host.change_bytes,
                host.peak_kib_fetched,
                host.peak_kib_started
            );
        }
        println!();
    }
}

pub(super) fn header() {
    println!("{:<58} {:>9} {:>9} {:>9}", "ms", "p50", "p99", "max");
}

pub(super) fn row(what: &str, spread: Spread) {
    println!(
        "  {what:<56} {:>9} {:>9} {:>9}",
        number(spread.p50_ms),
        number(spread.p99_ms),
        number(spread.max_ms)
    );
}

const HOSTS: u32 = 200;
const TRIALS: u32 = 10_000;
const LARGE_ESTATE: u32 = 15_000;
const RETURNING: u32 = 5_000;
const MANY_ACCOUNTS: u32 = 100_000;
const ACCOUNTS: u32 = 10_000;
/// The longest that one of the programs may take.
const LONGEST: Duration = Duration::from_secs(900);
