//! The reference programs in C, and the runner that measures processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keyroster_testkit::{Account, Failure, Program, Result};

use crate::shell;

/// Compiles `crates/xtask/bench/<name>.c` into `dir`, optimised and static; what is in `dir` can be included.
pub fn compile(name: &str, dir: &Path) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("bench")
        .join(format!("{name}.c"));
    let program = dir.join(name);
    let mut command = Command::new("cc");
    command
        .args(["-O2", "-static", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(dir);
    shell::run(command.arg("-o").arg(&program).arg(source))?;
    Ok(program)
}

/// Writes bytes as a C array of this name to `dir/<name>.h`.
pub fn write_header(name: &str, bytes: &[u8], dir: &Path) -> Result {
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let text = format!(
        "static const unsigned char {name}[] = {{{}}};\n",
        numbers.join(",")
    );
    let path = dir.join(format!("{name}.h"));
    fs::write(&path, text).map_err(|error| Failure::io("write", &path, &error))
}

/// What one run of one command cost.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Which of the commands it was.
    pub command: usize,
    /// From before it was started to after its end, in microseconds.
    pub wall_micros: f64,
    /// What it used of the processors, in microseconds.
    pub cpu_micros: f64,
    /// The most memory that it held, in KiB.
    pub peak_kib: u64,
}

/// Runs the commands in turn, round after round, as this account. Every one of them must print something unless it is
/// the first, and succeed: a command that fails quickly would look good.
pub fn measure(
    runner: &Path,
    account: &Account,
    rounds: u32,
    commands: &[Vec<String>],
) -> Result<Vec<Run>> {
    let mut program = Program::at(runner).user(account).arg(rounds.to_string());
    for command in commands {
        program = program.arg("--").args(command);
    }
    let said = program.finish_within(RUN_LIMIT)?.success("the runner")?;
    said.lines().map(|line| parse(line, commands)).collect()
}

fn parse(line: &str, commands: &[Vec<String>]) -> Result<Run> {
    let numbers: Vec<u64> = line
        .split(' ')
        .map_while(|field| field.parse().ok())
        .collect();
    let [command, wall, cpu, peak_kib, printed, status] = numbers.as_slice() else {
        return Err(Failure::new(format!("the runner said \"{line}\"")));
    };
    let command = *command as usize;
    if *status != 0 || (command > 0 && *printed == 0) {
        let words = commands
            .get(command)
            .map(|words| words.join(" "))
            .unwrap_or_default();
        return Err(Failure::new(format!(
            "`{words}` printed {printed} bytes and ended with status {status}"
        )));
    }
    let micros = |nanos: u64| nanos as f64 / 1_000.0;
    Ok(Run {
        command,
        wall_micros: micros(*wall),
        cpu_micros: micros(*cpu),
        peak_kib: *peak_kib,
    })
}

/// The longest that all runs together may take.
const RUN_LIMIT: Duration = Duration::from_secs(300);
