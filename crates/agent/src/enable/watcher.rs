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
    /// When systemd does not know the service, or SELinux would keep it from sshd's configuration: with a policy module that is older than
    /// the domain that the unit names, systemd would start it in the host agent's.
    pub fn check(&self) -> Result<(), EnableError> {
        if *self == Self::Unit {
            let enforces = std::fs::read_to_string(SELINUX_ENFORCES).unwrap_or_default();
            if domain(&enforces, &label(), || is_known(CONTEXT)) == Domain::HostAgents {
                return Err(EnableError::NoWatcher(format!(
                    "keyroster's policy module does not know \"{CONTEXT}\", and SELinux would hold the service to what the host agent may do"
                )));
            }
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

/// What SELinux lets the service do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
enum Domain {
    /// What it must: it has a domain of its own, or nobody holds it to anything.
    Own,
    /// What the host agent may, which is not to write sshd's configuration.
    HostAgents,
}

/// The domain in which systemd starts it: the one that the unit names, where the policy knows that; else the one of the program's label.
fn domain(enforces: &str, label: &str, own_is_known: impl Fn() -> bool) -> Domain {
    let held = enforces.trim() == "1" && label.split(':').any(|part| part == AGENTS_TYPE);
    if held && !own_is_known() {
        return Domain::HostAgents;
    }
    Domain::Own
}

/// Whether the policy knows a context: the kernel says so to whoever writes it there, and to one who may not ask it says no.
fn is_known(context: &str) -> bool {
    std::fs::write(SELINUX_CONTEXT, context).is_ok()
}

/// This program's label; empty where there is none.
fn label() -> String {
    let mut bytes = [0; LABEL_MAX];
    let length = rustix::fs::getxattr("/proc/self/exe", LABEL, &mut bytes).unwrap_or(0);
    let label = bytes.get(..length).unwrap_or_default();
    String::from_utf8_lossy(label)
        .trim_end_matches('\0')
        .to_owned()
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
const SELINUX_ENFORCES: &str = "/sys/fs/selinux/enforce";
const SELINUX_CONTEXT: &str = "/sys/fs/selinux/context";
/// What the unit names: packaging/systemd/keyroster-enable.service.
const CONTEXT: &str = "system_u:system_r:keyroster_enable_t:s0";
const LABEL: &str = "security.selinux";
/// The type of this program's file: packaging/selinux/keyroster.fc.
const AGENTS_TYPE: &str = "keyroster_agent_exec_t";
/// Bytes of a label.
const LABEL_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_enforces_and_knows_the_host_agent_must_know_the_services_own_domain() {
        let agents = "system_u:object_r:keyroster_agent_exec_t:s0";
        let (known, unknown) = (|| true, || false);
        assert_eq!(domain("1", agents, unknown), Domain::HostAgents);
        assert_eq!(domain("1", agents, known), Domain::Own);
        assert_eq!(domain("0", agents, unknown), Domain::Own);
        assert_eq!(domain("", "", unknown), Domain::Own);
        let plain = "system_u:object_r:bin_t:s0";
        assert_eq!(domain("1", plain, unknown), Domain::Own);
    }

    #[test]
    fn the_unit_and_the_policy_have_the_names_that_are_looked_for() {
        let labels = include_str!("../../../../packaging/selinux/keyroster.fc");
        assert!(labels.contains(AGENTS_TYPE));
        let unit = include_str!("../../../../packaging/systemd/keyroster-enable.service");
        assert!(unit.contains(&format!("\nSELinuxContext=-{CONTEXT}\n")));
        let rules = include_str!("../../../../packaging/selinux/keyroster.te");
        let own = CONTEXT.split(':').nth(2).unwrap();
        assert!(rules.contains(&format!("\ntype {own};\n")));
    }
}
