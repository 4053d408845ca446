//! Whoever takes a change back when its maker can't.
//!
//! It must outlive the terminal, the connection and the process that made the change, so it is not one of that process's
//! threads. Under systemd it is a service, which comes back when it is killed and runs at the next boot if something still waits
//! then. Elsewhere it is a process in a session of its own.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use keyroster_sshd::run::{TOOL_LIMIT, bare, finish};
use keyroster_sshd::service::systemd_runs;

use crate::enable::args::DEFAULT_STATE;
use crate::enable::error::EnableError;

/// How the watcher is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watcher {
    /// As a service of systemd's.
    Unit,
    /// As a process of this program, with these settings.
    Process(Option<PathBuf>),
}

impl Watcher {
    /// The one for this host.
    #[must_use]
    pub fn of(state: &Path, config: Option<&Path>) -> Self {
        // The service knows the usual directory and no other.
        if systemd_runs() && state == Path::new(DEFAULT_STATE) {
            return Self::Unit;
        }
        Self::Process(config.map(Path::to_owned))
    }

    /// Whether it could be started.
    ///
    /// # Errors
    /// When systemd does not know the service.
    pub fn check(&self) -> Result<(), EnableError> {
        if *self == Self::Unit {
            finish(
                Command::new(SYSTEMCTL).args(["cat", "--", UNIT]),
                TOOL_LIMIT,
            )?
            .success("systemctl cat")
            .map_err(|err| EnableError::NoWatcher(err.to_string()))?;
        }
        Ok(())
    }

    /// Starts it, and returns once it watches.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(&self, state: &Path) -> Result<(), EnableError> {
        match self {
            Self::Unit => {
                let mut command = Command::new(SYSTEMCTL);
                // A service that failed too often once would not be started again.
                let _ = finish(command.args(["reset-failed", "--", UNIT]), TOOL_LIMIT);
                let mut command = Command::new(SYSTEMCTL);
                finish(command.args(["start", "--", UNIT]), TOOL_LIMIT)?
                    .success("systemctl start")
                    .map_err(|err| EnableError::NoWatcher(err.to_string()))?;
                Ok(())
            }
            Self::Process(config) => start_process(state, config.as_deref()),
        }
    }
}

fn start_process(state: &Path, config: Option<&Path>) -> Result<(), EnableError> {
    let program = std::env::current_exe()
        .map_err(|err| EnableError::io("find", Path::new("/proc/self/exe"), err))?;
    let mut command = Command::new(program);
    command.args(["enable", "--finish", "--state"]).arg(state);
    if let Some(config) = config {
        command.args([OsStr::new("--config"), config.as_os_str()]);
    }
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = bare(&mut command)
        .spawn()
        .map_err(|err| EnableError::NoWatcher(err.to_string()))?;
    let (told, hear) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = told.send(line);
        });
    }
    match hear.recv_timeout(START_LIMIT) {
        Ok(line) if line.trim_end() == WATCHING => Ok(()),
        _ => {
            keyroster_sshd::run::end(&mut child);
            Err(EnableError::NoWatcher(
                "its process did not start".to_owned(),
            ))
        }
    }
}

/// What the process says when it watches.
pub const WATCHING: &str = "watching";
const UNIT: &str = "keyroster-enable.service";
const SYSTEMCTL: &str = "systemctl";
/// The longest that it may take to start: another one may be about to end.
const START_LIMIT: Duration = Duration::from_secs(15);
