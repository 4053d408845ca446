//! How many snapshots a second the key server hands out, beside a handler that hands out as many bytes.

use std::fs;
use std::path::Path;

use keyroster_testkit::{Failure, Program, Result, Running};
use serde::{Deserialize, Serialize};

use super::Options;
use super::figures::{Aim, Spread, number};
use crate::stage::Stage;
use crate::workspace::{Workspace, parse_json};

/// What was measured of one server.
#[derive(Debug, Serialize)]
pub struct Row {
    what: &'static str,
    requests_per_second: Spread,
    server_cpu_micros_per_request: Spread,
    answer_micros_p99: Spread,
}

/// What was measured of the key server and of what it is compared with.
#[derive(Debug, Serialize)]
pub struct Results {
    body_bytes: usize,
    rows: Vec<Row>,
}

/// What the load reports.
#[derive(Debug, Deserialize)]
struct Report {
    requests: u64,
    unexpected: u64,
    seconds: f64,
    body_bytes: usize,
    p99_micros: u64,
}

/// Runs the load against both by turns.
pub fn measure(workspace: &Workspace, stage: &Stage, options: &Options) -> Result<Results> {
    let programs = Programs::of(workspace, stage);
    let key_server = Target::key_server(stage)?;
    let body_bytes = programs.load(&key_server, 1)?.body_bytes;
    let (_running, bare) = programs.bare(stage, body_bytes)?;
    let mut rounds = (Vec::new(), Vec::new());
    for _ in 0..options.runs(ROUNDS).max(1) {
        rounds.0.push(programs.round(&bare)?);
        rounds.1.push(programs.round(&key_server)?);
    }
    let rows = vec![
        Row::of("bare axum handler", &rounds.0),
        Row::of("key server, from memory", &rounds.1),
    ];
    Ok(Results { body_bytes, rows })
}

impl Results {
    /// The aim, in the words of the design.
    pub fn aims(&self) -> Vec<Aim> {
        let [bare, key_server] = self.rows.as_slice() else {
            return Vec::new();
        };
        let ratio = key_server.requests_per_second.median / bare.requests_per_second.median;
        vec![Aim::at_least(
            "snapshots from memory / bare handler, requests a second",
            ratio,
            0.6,
        )]
    }

    /// Prints the table.
    pub fn print(&self) {
        println!(
            "snapshots of {} bytes, TLS, kept alive    requests/s   CPU µs each     p99 µs",
            self.body_bytes
        );
        for row in &self.rows {
            println!(
                "  {:<40} {:>12} {:>13} {:>10}",
                row.what,
                number(row.requests_per_second.median),
                number(row.server_cpu_micros_per_request.median),
                number(row.answer_micros_p99.median),
            );
        }
        println!();
    }
}

/// One round against one server: requests a second, CPU microseconds a request, p99 of the answers.
struct Round {
    requests_per_second: f64,
    cpu_micros: f64,
    p99_micros: f64,
}

impl Row {
    fn of(what: &'static str, rounds: &[Round]) -> Self {
        let pick = |figure: fn(&Round) -> f64| Spread::of(rounds.iter().map(figure).collect());
        Self {
            what,
            requests_per_second: pick(|round| round.requests_per_second),
            server_cpu_micros_per_request: pick(|round| round.cpu_micros),
            answer_micros_p99: pick(|round| round.p99_micros),
        }
    }
}

/// A server to load: how to reach it, and its process.
struct Target {
    pid: u32,
    arguments: Vec<String>,
}

impl Target {
    /// The stage's, asked with the enrolled host's own credential.
    fn key_server(stage: &Stage) -> Result<Self> {
        let server = stage
            .server
            .as_ref()
            .ok_or_else(|| Failure::new("the key server does not run"))?;
        let credential = |name: &str| {
            stage
                .path("state/credential")
                .join(name)
                .to_string_lossy()
                .into_owned()
        };
        let pairs = [
            ("--url", stage.url.clone()),
            ("--ca", credential("ca.pem")),
            ("--certificate", credential("cert.pem")),
            ("--key", credential("key.pem")),
        ];
        Ok(Self {
            pid: server.pid(),
            arguments: flatten(pairs),
        })
    }
}

/// Where the bench's own programs are.
struct Programs<'a> {
    dir: std::path::PathBuf,
    stage: &'a Stage,
}

impl<'a> Programs<'a> {
    fn of(workspace: &Workspace, stage: &'a Stage) -> Self {
        Self {
            dir: workspace.target.join("release"),
            stage,
        }
    }

    fn bare(&self, stage: &Stage, bytes: usize) -> Result<(Running, Target)> {
        let ca = stage
            .path("bench/bare-ca.pem")
            .to_string_lossy()
            .into_owned();
        let program = Program::at(&self.dir.join("bare-server"));
        let mut running = program
            .args(["--bytes", &bytes.to_string(), "--ca", &ca])
            .spawn()?;
        let line = running.wait_for_line("listening on https://")?;
        let url = line.rsplit(' ').next().unwrap_or_default().to_owned();
        let target = Target {
            pid: running.pid(),
            arguments: flatten([("--url", url), ("--ca", ca)]),
        };
        Ok((running, target))
    }

    fn load(&self, target: &Target, seconds: u32) -> Result<Report> {
        let program = Program::at(&self.dir.join("snapshot-load")).args(&target.arguments);
        let said = program
            .args(["--seconds", &seconds.to_string()])
            .finish()?
            .success("the load")?;
        let report: Report = parse_json("the load", &said)?;
        if report.unexpected == 0 && report.requests > 0 {
            return Ok(report);
        }
        let server = self
            .stage
            .server
            .as_ref()
            .map(Running::output)
            .unwrap_or_default();
        Err(Failure::new(format!(
            "{} of {} answers were wrong\n{server}",
            report.unexpected, report.requests
        )))
    }

    fn round(&self, target: &Target) -> Result<Round> {
        let before = cpu_micros(target.pid)?;
        let report = self.load(target, SECONDS)?;
        let used = cpu_micros(target.pid)? - before;
        let requests = report.requests as f64;
        Ok(Round {
            requests_per_second: requests / report.seconds,
            cpu_micros: used / requests,
            p99_micros: report.p99_micros as f64,
        })
    }
}

fn flatten<const N: usize>(pairs: [(&str, String); N]) -> Vec<String> {
    pairs
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

/// What a process has used of the processors up to now: all its threads, from the scheduler's own account, which counts
/// nanoseconds where `/proc/PID/stat` counts hundredths of a second.
fn cpu_micros(pid: u32) -> Result<f64> {
    let tasks = format!("/proc/{pid}/task");
    let tasks = Path::new(&tasks);
    let entries = fs::read_dir(tasks).map_err(|error| Failure::io("read", tasks, &error))?;
    let used = entries.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    Ok(used.sum::<f64>() / 1_000.0)
}

const ROUNDS: u32 = 10;
/// How long each round loads one server.
const SECONDS: u32 = 2;
