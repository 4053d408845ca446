//! What the figures were measured on, and when.

use std::fmt;
use std::fs;
use std::process::Command;

use keyroster_testkit::Result;
use serde::Serialize;

use crate::shell;
use crate::workspace::Workspace;

/// The machine, the day, and what was measured.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The distribution.
    pub system: String,
    /// The installed OpenSSH.
    pub openssh: String,
    /// The compiler.
    pub rustc: String,
    /// The commit, with a `+` when files have changed since.
    pub commit: String,
    /// The day, UTC.
    pub date: String,
}

impl Machine {
    /// Looks at it.
    pub fn look(workspace: &Workspace) -> Result<Self> {
        Ok(Self {
            cpu: after("/proc/cpuinfo", "model name", ':'),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: said(Command::new("uname").arg("-r"))?,
            system: after("/etc/os-release", "PRETTY_NAME", '='),
            openssh: said(Command::new("sh").args(["-c", "ssh -V 2>&1 | cut -d, -f1"]))?,
            rustc: said(Command::new("rustc").arg("--version"))?,
            commit: commit(workspace)?,
            date: said(Command::new("date").args(["-u", "+%Y-%m-%d"]))?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            cores,
            kernel,
            system,
            openssh,
            rustc,
            commit,
            date,
        } = self;
        writeln!(f, "{cpu}, {cores} cores, Linux {kernel}, {system}")?;
        write!(f, "{openssh}, {rustc}, commit {commit}, {date}")
    }
}

fn commit(workspace: &Workspace) -> Result<String> {
    let mut command = Command::new("git");
    command
        .args(["-c", "safe.directory=*", "-C"])
        .arg(&workspace.root);
    command.args(["describe", "--always", "--dirty=+", "--abbrev=12"]);
    said(&mut command)
}

fn said(command: &mut Command) -> Result<String> {
    shell::output(command).map(|text| text.trim().to_owned())
}

/// What stands behind the first line of a file that begins so; "unknown" when there is none.
fn after(path: &str, key: &str, separator: char) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key));
    let value = line
        .and_then(|line| line.split_once(separator))
        .map(|(_, value)| value.trim().trim_matches('"'));
    value.unwrap_or("unknown").to_owned()
}
