//! What one run of lookup costs, beside the least that a key command can cost.

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keyroster_testkit::{Failure, Program, Result, Running};
use serde::Serialize;

use super::Options;
use super::c_programs::{self, Run};
use super::figures::{Aim, Spread, number};
use crate::stage::Stage;

/// One command, alone on the machine and with every core busy.
#[derive(Debug, Serialize)]
pub struct Row {
    what: &'static str,
    wall_micros: Spread,
    cpu_micros: Spread,
    wall_micros_busy: Spread,
    peak_kib: u64,
}

/// What was measured of lookup and of what it is compared with.
#[derive(Debug, Serialize)]
pub struct Results {
    rows: Vec<Row>,
    instructions: u64,
    binary_bytes: u64,
}

/// Runs them all.
pub fn measure(stage: &Stage, options: &Options) -> Result<Results> {
    let dir = stage.dir("bench")?;
    let commands = commands(stage, &dir)?;
    let runner = c_programs::compile("runner", &dir)?;
    let account = &stage.login_account;
    c_programs::measure(&runner, account, options.runs(WARM_UP_ROUNDS), &commands)?;
    let idle = c_programs::measure(&runner, account, options.runs(ROUNDS), &commands)?;
    let busy = {
        let _spinning = spin()?;
        c_programs::measure(&runner, account, options.runs(ROUNDS), &commands)?
    };
    let rows = NAMES
        .iter()
        .enumerate()
        .map(|(number, what)| Row::of(number, what, &idle, &busy))
        .collect();
    let lookup = stage.path("keyroster-lookup");
    let binary_bytes = std::fs::metadata(&lookup)
        .map_err(|error| Failure::io("look at", &lookup, &error))?
        .len();
    Ok(Results {
        rows,
        instructions: instructions(stage, &commands)?,
        binary_bytes,
    })
}

impl Results {
    /// The aims, in the words of the design.
    pub fn aims(&self) -> Vec<Aim> {
        let [_, _, client, lookup] = self.rows.as_slice() else {
            return Vec::new();
        };
        let ratio = |of: f64, to: f64| of / to;
        vec![
            Aim::at_most(
                "lookup / C socket client, wall, median",
                ratio(lookup.wall_micros.median, client.wall_micros.median),
                1.25,
            ),
            Aim::at_most(
                "lookup / C socket client, CPU, median",
                ratio(lookup.cpu_micros.median, client.cpu_micros.median),
                1.25,
            ),
            Aim::at_most(
                "lookup, every core busy, ms, p99",
                lookup.wall_micros_busy.p99 / 1_000.0,
                3.0,
            ),
            Aim::at_most("lookup, instructions", self.instructions as f64, 250_000.0),
            Aim::at_most("lookup, peak memory, KiB", lookup.peak_kib as f64, 2_048.0),
            Aim::at_most(
                "lookup, on disk, KiB",
                self.binary_bytes as f64 / 1_024.0,
                1_536.0,
            ),
        ]
    }

    /// Prints the table.
    pub fn print(&self) {
        println!(
            "one run of a key command, µs      wall p50   wall p99    cpu p50   busy p50   busy p99   peak KiB"
        );
        for row in &self.rows {
            let figures = [
                row.wall_micros.median,
                row.wall_micros.p99,
                row.cpu_micros.median,
                row.wall_micros_busy.median,
                row.wall_micros_busy.p99,
                row.peak_kib as f64,
            ];
            let figures: Vec<String> = figures
                .iter()
                .map(|figure| format!("{:>10}", number(*figure)))
                .collect();
            println!("  {:<28} {}", row.what, figures.join(" "));
        }
        println!("  lookup executes {} instructions\n", self.instructions);
    }
}

impl Row {
    fn of(number: usize, what: &'static str, idle: &[Run], busy: &[Run]) -> Self {
        let pick = |runs: &[Run], figure: fn(&Run) -> f64| {
            Spread::of(
                runs.iter()
                    .filter(|run| run.command == number)
                    .map(figure)
                    .collect(),
            )
        };
        let peak = idle
            .iter()
            .filter(|run| run.command == number)
            .map(|run| run.peak_kib)
            .max();
        Self {
            what,
            wall_micros: pick(idle, |run| run.wall_micros),
            cpu_micros: pick(idle, |run| run.cpu_micros),
            wall_micros_busy: pick(busy, |run| run.wall_micros),
            peak_kib: peak.unwrap_or(0),
        }
    }
}

/// The commands, in the order of [`NAMES`].
fn commands(stage: &Stage, dir: &Path) -> Result<Vec<Vec<String>>> {
    let lookup = lookup_command(stage, &stage.path("lookup.conf"))?;
    let line = stage.write(
        "bench/line",
        &format!("restrict,pty {}\n", stage.key.public_line()),
    )?;
    c_programs::write_header("request", &captured_request(stage)?, dir)?;
    let path = |path: PathBuf| path.to_string_lossy().into_owned();
    Ok(vec![
        vec!["/bin/true".to_owned()],
        vec![path(c_programs::compile("print_file", dir)?), path(line)],
        vec![
            path(c_programs::compile("socket_client", dir)?),
            path(stage.path("socket/agent.sock")),
        ],
        lookup,
    ])
}

/// What sshd would run for the stage's key.
fn lookup_command(stage: &Stage, config: &Path) -> Result<Vec<String>> {
    let (algorithm, base64) = stage.key.parts();
    let account = &stage.login_account;
    Ok(vec![
        stage
            .path("keyroster-lookup")
            .to_string_lossy()
            .into_owned(),
        "keys".to_owned(),
        format!("--config={}", config.display()),
        format!("--user={}", account.name),
        format!("--uid={}", account.uid),
        format!("--type={algorithm}"),
        format!("--key={base64}"),
        format!("--fingerprint={}", stage.key.fingerprint()?),
    ])
}

/// The bytes that lookup sends, so that the C client sends the same: taken from a socket of our own, on which nobody
/// answers.
fn captured_request(stage: &Stage) -> Result<Vec<u8>> {
    let socket_dir = stage.dir("bench/socket")?;
    let socket = socket_dir.join("capture.sock");
    let listener =
        UnixListener::bind(&socket).map_err(|error| Failure::io("listen on", &socket, &error))?;
    stage.open_to_all(&socket)?;
    let config = format!(
        "authorized_keys: agent\nagent_socket: {}\n",
        socket.display()
    );
    let config = stage.write("bench/capture.conf", &config)?;
    let command = lookup_command(stage, &config)?;
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| Failure::new("no command"))?;
    let _asking = Program::at(Path::new(program))
        .args(arguments)
        .user(&stage.login_account)
        .spawn()?;
    let (mut stream, _) = listener
        .accept()
        .map_err(|error| Failure::io("accept on", &socket, &error))?;
    let mut request = vec![0; REQUEST_BYTES];
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .and_then(|()| stream.read(&mut request))
        .map(|length| {
            request.truncate(length);
            request
        })
        .map_err(|error| Failure::io("read from", &socket, &error))
}

/// One process for each core that does nothing but use it. Dropped, they end.
fn spin() -> Result<Vec<Running>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let spinner = || {
        Program::at(Path::new("/bin/sh"))
            .args(["-c", "while :; do :; done"])
            .spawn()
    };
    (0..cores).map(|_| spinner()).collect()
}

/// How many instructions lookup executes for one answer, as callgrind counts them.
fn instructions(stage: &Stage, commands: &[Vec<String>]) -> Result<u64> {
    let lookup = commands.last().map(Vec::as_slice).unwrap_or_default();
    let which = crate::shell::output(Command::new("sh").args(["-c", "command -v valgrind"]))?;
    let counted = Program::at(Path::new(which.trim()))
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(lookup)
        .user(&stage.login_account)
        .finish()?;
    let line = counted
        .stderr
        .lines()
        .find_map(|line| line.split_once("Collected :"));
    let count = line.and_then(|(_, count)| count.trim().parse().ok());
    count.ok_or_else(|| Failure::new(format!("callgrind counted nothing\n{}", counted.stderr)))
}

const NAMES: [&str; 4] = [
    "/bin/true",
    "C: prints a file",
    "C: one socket round trip",
    "keyroster-lookup",
];
const WARM_UP_ROUNDS: u32 = 200;
const ROUNDS: u32 = 2_000;
/// More than any request is long.
const REQUEST_BYTES: usize = 64 << 10;
