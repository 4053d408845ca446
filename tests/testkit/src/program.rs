//! Our own programs, as built, run as processes.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{finish, stop};
use crate::{Account, Failure, Finished, Result, until};

/// Names the directory that holds the built programs.
pub const BIN_DIR_VARIABLE: &str = "KEYROSTER_BIN_DIR";

/// The built program of this name: from [`BIN_DIR_VARIABLE`], else from the target directory that this test runs in.
pub fn binary(name: &str) -> Result<PathBuf> {
    let dir = match std::env::var_os(BIN_DIR_VARIABLE) {
        Some(dir) => PathBuf::from(dir),
        None => own_target_dir()?,
    };
    let path = dir.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::new(format!(
        "no program \"{}\"\nhint: `cargo xtask build`, then {BIN_DIR_VARIABLE}=<target>/dist/debug",
        path.display()
    )))
}

/// A program to run: a [`Command`] with the habits of these tests.
#[derive(Debug)]
pub struct Program(Command);

impl Program {
    /// One of ours, by name. It sees nothing of the caller's environment but `PATH`.
    pub fn keyroster(name: &str) -> Result<Self> {
        Ok(Self::at(&binary(name)?))
    }

    /// One at a path of the caller's choice, with the same bare environment.
    pub fn at(path: &Path) -> Self {
        let mut command = Command::new(path);
        command.env_clear().env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
        Self(command)
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.0.args(arguments);
        self
    }

    /// Sets one variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it as this account, with its primary group and no others.
    #[must_use]
    pub fn user(mut self, account: &Account) -> Self {
        self.0.uid(account.uid).gid(account.gid);
        self
    }

    /// Puts it in a process group of its own, out of reach of Ctrl-C at the terminal.
    #[must_use]
    pub fn own_group(mut self) -> Self {
        self.0.process_group(0);
        self
    }

    /// Runs it to its end.
    pub fn finish(self) -> Result<Finished> {
        self.finish_within(RUN_LIMIT)
    }

    /// Runs it to its end, which may take this long.
    pub fn finish_within(mut self, limit: Duration) -> Result<Finished> {
        finish(&mut self.0, limit)
    }

    /// Starts it and goes on; standard output and standard error are both captured as they come.
    pub fn spawn(mut self) -> Result<Running> {
        let name = self.0.get_program().to_string_lossy().into_owned();
        self.0
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self
            .0
            .spawn()
            .map_err(|error| Failure::new(format!("cannot run \"{name}\": {error}")))?;
        let output = Arc::new(Mutex::new(String::new()));
        if let Some(pipe) = child.stdout.take() {
            follow(pipe, Arc::clone(&output));
        }
        if let Some(pipe) = child.stderr.take() {
            follow(pipe, Arc::clone(&output));
        }
        Ok(Running {
            name,
            child,
            output,
        })
    }
}

/// A command with the environment that its maker gave it.
impl From<Command> for Program {
    fn from(command: Command) -> Self {
        Self(command)
    }
}

/// A program that is running. Dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed and complained about up to now.
    pub fn output(&self) -> String {
        self.output
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits for a line that contains `text` and returns it whole; fails, with all output, when the program ends.
    pub fn wait_for_line(&mut self, text: &str) -> Result<String> {
        let what = format!("\"{text}\" from \"{}\"", self.name);
        let mut looks_after_end = 0;
        let waited = until(&what, LINE_LIMIT, || {
            let ended = self.child.try_wait().ok().flatten();
            if let Some(line) = self.output().lines().find(|line| line.contains(text)) {
                return Ok(Some(line.to_owned()));
            }
            let Some(status) = ended else { return Ok(None) };
            looks_after_end += 1;
            if looks_after_end < LOOKS_AFTER_END {
                return Ok(None);
            }
            let name = &self.name;
            Err(Failure::new(format!(
                "\"{name}\" ended with {status} before it said \"{text}\""
            )))
        });
        waited.map_err(|failure| Failure::new(format!("{failure}\n{}", self.output())))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let what = format!("\"{}\" to end", self.name);
        let ended = until(&what, RUN_LIMIT, || {
            Ok(self.child.try_wait().ok().flatten())
        });
        ended.map_err(|failure| Failure::new(format!("{failure}\n{}", self.output())))
    }

    /// Asks it to end with SIGTERM, as systemd does, and waits until it has.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        stop(&mut self.child, Signal::TERM, STOP_LIMIT)
    }

    /// Ends it as a crash would: SIGKILL, nothing flushed.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        stop(&mut self.child, Signal::KILL, STOP_LIMIT)
    }

    /// Stops it where it stands (SIGSTOP): it is there, but answers nothing.
    pub fn freeze(&self) -> Result {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after [`Running::freeze`].
    pub fn thaw(&self) -> Result {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let sent = pid.map(|pid| rustix::process::kill_process(pid, signal));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(Failure::new(format!("cannot signal \"{}\"", self.name))),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A test binary lies in `<target>/<profile>/deps`, the programs one level up.
fn own_target_dir() -> Result<PathBuf> {
    let exe = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot find this program: {error}")))?;
    let dir = exe.ancestors().nth(2).unwrap_or(Path::new("/"));
    Ok(dir.to_owned())
}

fn follow(pipe: impl Read + Send + 'static, output: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            output
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}

/// The longest that a program may take that is to run to its end.
const RUN_LIMIT: Duration = Duration::from_secs(30);
/// The longest that a line may be waited for.
const LINE_LIMIT: Duration = Duration::from_secs(30);
/// How often a program's last words are looked for once it has ended: they may still be in the pipe.
const LOOKS_AFTER_END: u32 = 20;
/// The longest that a program may take to end after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Running {
        Program::at(Path::new("/bin/sh"))
            .args(["-c", script])
            .spawn()
            .unwrap()
    }

    #[test]
    fn a_line_that_comes_late_is_waited_for_and_returned_whole() {
        let mut running = shell("sleep 0.1; echo listening on 1.2.3.4 >&2; sleep 600");
        assert_eq!(
            running.wait_for_line("listening").unwrap(),
            "listening on 1.2.3.4"
        );
    }

    #[test]
    fn a_program_that_ends_too_early_shows_what_it_said() {
        let failure = shell("echo no such file >&2; exit 3")
            .wait_for_line("listening")
            .unwrap_err()
            .to_string();
        assert!(failure.contains("exit status: 3"), "{failure}");
    }

    #[test]
    fn a_dropped_program_is_dead() {
        let mut running = shell("echo up; sleep 600");
        running.wait_for_line("up").unwrap();
        let proc_dir = PathBuf::from(format!("/proc/{}", running.pid()));
        assert!(proc_dir.exists());
        drop(running);
        assert!(!proc_dir.exists());
    }
}
